{{/* The pod of a role: root, role, values. Both Deployments are made of it. */}}
{{- define "ocpp-gateway.pod" -}}
{{- $root := .root -}}
{{- $pod := .root.Values.pod -}}
metadata:
  labels:
    {{- /* Without versions: a chart that changes nothing in the pods restarts none. */}}
    {{- include "ocpp-gateway.selector" (dict "root" .root "component" .role) | nindent 4 }}
    ocpp-gateway/role: gateway
    {{- with .root.Values.commonLabels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
    {{- with .values.podLabels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  annotations:
    checksum/static: {{ include "ocpp-gateway.staticConfig" .root | sha256sum }}
    {{- with merge (dict) .values.podAnnotations .root.Values.commonAnnotations }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  serviceAccountName: {{ include "ocpp-gateway.serviceAccount" .root }}
  automountServiceAccountToken: false
  enableServiceLinks: false
  terminationGracePeriodSeconds: {{ default (include "ocpp-gateway.grace" .) .values.terminationGracePeriodSeconds }}
  securityContext:
    {{- toYaml $pod.securityContext | nindent 4 }}
  {{- with .root.Values.image.pullSecrets }}
  imagePullSecrets:
    {{- range . }}
    - name: {{ . }}
    {{- end }}
  {{- end }}
  {{- with $pod.initContainers }}
  initContainers:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  containers:
    - name: gateway
      image: {{ include "ocpp-gateway.image" .root }}
      imagePullPolicy: {{ .root.Values.image.pullPolicy }}
      args:
        - run
        {{- if .root.Values.hub.enabled }}
        - --role
        - {{ .role }}
        {{- end }}
      env:
        - name: OCPPGW_CONFIG
          value: /etc/ocpp-gateway/config/gateway.yaml
        {{- include "ocpp-gateway.redisEnv" .root | nindent 8 }}
        - name: POD_NAME
          valueFrom:
            fieldRef:
              fieldPath: metadata.name
        {{- with .values.extraEnv }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      envFrom:
        - configMapRef:
            name: {{ include "ocpp-gateway.fullname" .root }}-static
        {{- with .values.extraEnvFrom }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      ports:
        {{- if eq .role "edge" }}
        {{- range $index, $listener := include "ocpp-gateway.listeners" .root | fromYamlArray }}
        - name: {{ ternary (printf "ocpp-%d" $index) "ocpp" (gt $index 0) }}
          containerPort: {{ $listener.port }}
        {{- end }}
        {{- end }}
        - name: admin
          containerPort: {{ default 9001 (default dict .root.Values.config.admin).port }}
      startupProbe:
        httpGet: {path: /livez, port: admin}
        {{- toYaml $pod.startupProbe | nindent 8 }}
      livenessProbe:
        httpGet: {path: /livez, port: admin}
        {{- toYaml $pod.livenessProbe | nindent 8 }}
      readinessProbe:
        httpGet: {path: {{ ternary "/readyz?room" "/readyz" (and (eq .role "edge") (not .values.readyWhenFull)) | quote }}, port: admin}
        {{- toYaml $pod.readinessProbe | nindent 8 }}
      resources:
        {{- toYaml .values.resources | nindent 8 }}
      securityContext:
        {{- toYaml $pod.containerSecurityContext | nindent 8 }}
      volumeMounts:
        - {name: config, mountPath: /etc/ocpp-gateway/config, readOnly: true}
        - {name: tmp, mountPath: /tmp}
        {{- range $name, $secret := .root.Values.upstreamSecrets }}
        - {name: upstream-{{ $name | lower | replace "_" "-" }}, mountPath: /etc/ocpp-gateway/upstreams/{{ $name }}, readOnly: true}
        {{- end }}
        {{- if .root.Values.redis.tls.existingSecret }}
        - {name: redis-tls, mountPath: /etc/ocpp-gateway/redis-tls, readOnly: true}
        {{- end }}
        {{- range $name, $_ := .root.Values.mounts }}
        - {name: mount-{{ $name }}, mountPath: /etc/ocpp-gateway/mounts/{{ $name }}, readOnly: true}
        {{- end }}
        {{- with $pod.extraVolumeMounts }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
    {{- with $pod.sidecars }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  volumes:
    - name: config
      configMap:
        name: {{ include "ocpp-gateway.fullname" .root }}
    - name: tmp
      emptyDir: {sizeLimit: 64Mi}
    {{- range $name, $secret := .root.Values.upstreamSecrets }}
    - name: upstream-{{ $name | lower | replace "_" "-" }}
      secret:
        secretName: {{ $secret.existingSecret }}
        defaultMode: 0440
    {{- end }}
    {{- with .root.Values.redis.tls.existingSecret }}
    - name: redis-tls
      secret:
        secretName: {{ . }}
        defaultMode: 0440
    {{- end }}
    {{- range $name, $source := .root.Values.mounts }}
    - name: mount-{{ $name }}
      {{- if $source.secret }}
      secret:
        secretName: {{ $source.secret }}
        defaultMode: 0440
      {{- else }}
      configMap:
        name: {{ $source.configMap }}
      {{- end }}
    {{- end }}
    {{- with $pod.extraVolumes }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  {{- if .values.topologySpreadConstraints }}
  topologySpreadConstraints:
    {{- toYaml .values.topologySpreadConstraints | nindent 4 }}
  {{- else if .values.spread }}
  topologySpreadConstraints:
    {{- range list "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
    - topologyKey: {{ . }}
      maxSkew: 1
      whenUnsatisfiable: ScheduleAnyway
      matchLabelKeys: [pod-template-hash]
      labelSelector:
        matchLabels:
          {{- include "ocpp-gateway.selector" (dict "root" $root "component" $.role) | nindent 10 }}
    {{- end }}
  {{- end }}
  {{- with .values.nodeSelector }}
  nodeSelector:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .values.tolerations }}
  tolerations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .values.affinity }}
  affinity:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .values.priorityClassName }}
  priorityClassName: {{ . }}
  {{- end }}
  {{- with $pod.hostAliases }}
  hostAliases:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $pod.dnsPolicy }}
  dnsPolicy: {{ . }}
  {{- end }}
  {{- with $pod.dnsConfig }}
  dnsConfig:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $pod.runtimeClassName }}
  runtimeClassName: {{ . }}
  {{- end }}
  {{- with $pod.schedulerName }}
  schedulerName: {{ . }}
  {{- end }}
{{- end -}}

{{/* The roles that have a Deployment: {"edge": {...}, "hub": {...}}. */}}
{{- define "ocpp-gateway.roles" -}}
{{- $roles := dict "edge" .Values.edge -}}
{{- if .Values.hub.enabled -}}{{- $_ := set $roles "hub" .Values.hub -}}{{- end -}}
{{- toYaml $roles -}}
{{- end -}}
