{{/* What a schema cannot say: every rule fails with a sentence that names the key and the way out. */}}
{{- define "ocpp-gateway.validate" -}}
{{- include "ocpp-gateway.validateConfig" . -}}
{{- include "ocpp-gateway.validateStore" . -}}
{{- include "ocpp-gateway.validateRoutes" . -}}
{{- $roles := include "ocpp-gateway.roles" . | fromYaml -}}
{{- range $role, $values := $roles -}}
{{- include "ocpp-gateway.validateRole" (dict "root" $ "role" $role "values" $values) -}}
{{- end -}}
{{- end -}}

{{- define "ocpp-gateway.validateConfig" -}}
{{- $config := .Values.config -}}
{{- if not $config.upstreams -}}
{{- fail "config.upstreams is empty: name at least one CSMS, such as --set config.upstreams.main.url=wss://csms.example/ocpp --set config.upstreams.main.version=ocpp2.0.1" -}}
{{- end -}}
{{- range list "key" "previous_key" -}}
{{- if index (default dict $config.vault) . -}}
{{- fail (printf "config.vault.%s would end in a ConfigMap: put it in a Secret, name that in mounts, and the file in config.vault.%s_file" . .) -}}
{{- end -}}
{{- end -}}
{{- range $name, $upstream := $config.upstreams -}}
{{- $secret := default dict (index $.Values.upstreamSecrets $name) -}}
{{- if or $upstream.password $upstream.passwords (regexMatch "^[a-z]+://[^/?#]*@" (default "" $upstream.url)) -}}
{{- fail (printf "config.upstreams.%s holds a password, which would end in a ConfigMap: put it in a Secret and name that in upstreamSecrets.%s" $name $name) -}}
{{- end -}}
{{- if and (not $upstream.url) (not $secret.urlKey) (not $upstream.url_file) -}}
{{- fail (printf "config.upstreams.%s.url is missing: give it, or upstreamSecrets.%s.urlKey" $name $name) -}}
{{- end -}}
{{- if and (eq (default "" $upstream.credentials) "passthrough") (not (index (default dict $config.vault) "key_file")) -}}
{{- if $.Values.hub.enabled -}}
{{- fail (printf "config.upstreams.%s.credentials is passthrough, which needs both roles in one process: set hub.enabled to false, or give config.vault.key_file" $name) -}}
{{- end -}}
{{- if or (gt (int $.Values.edge.replicas) 1) $.Values.edge.autoscaling.enabled $.Values.edge.keda.enabled -}}
{{- fail (printf "config.upstreams.%s.credentials is passthrough: the charger's credentials never leave the process that has its socket, so edge.replicas must be 1, without autoscaling; or give config.vault.key_file" $name) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- range $name, $secret := .Values.upstreamSecrets -}}
{{- if not (hasKey $config.upstreams $name) -}}
{{- fail (printf "upstreamSecrets.%s: config.upstreams has no upstream of this name; there are %s" $name (keys $config.upstreams | sortAlpha | join ", ")) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "ocpp-gateway.validateStore" -}}
{{- $redis := .Values.redis -}}
{{- $ways := 0 -}}
{{- if $redis.hosts -}}{{- $ways = add1 $ways -}}{{- end -}}
{{- if $redis.urlKey -}}{{- $ways = add1 $ways -}}{{- end -}}
{{- if $redis.dev.enabled -}}{{- $ways = add1 $ways -}}{{- end -}}
{{- if eq (int $ways) 0 -}}
{{- fail "redis: the pods need a store that they share: give redis.hosts, or a Secret with the URL (redis.existingSecret, redis.urlKey), or for a trial redis.dev.enabled=true" -}}
{{- end -}}
{{- if gt (int $ways) 1 -}}
{{- fail "redis: give one of hosts, urlKey and dev.enabled, not several" -}}
{{- end -}}
{{- range list "url" "url_file" "cluster" "data_dir" "fsync" -}}
{{- if hasKey (default dict $.Values.config.redis) . -}}
{{- fail (printf "config.redis.%s: the chart sets where the store is from redis.*; remove it" .) -}}
{{- end -}}
{{- end -}}
{{- if and (or $redis.urlKey $redis.passwordKey $redis.sentinelPasswordKey) (not $redis.existingSecret) -}}
{{- fail "redis.existingSecret is empty: name the Secret that has the keys redis.urlKey, redis.passwordKey or redis.sentinelPasswordKey" -}}
{{- end -}}
{{- if and (eq $redis.mode "sentinel") (not $redis.service) (not $redis.urlKey) -}}
{{- fail "redis.service is empty: with redis.mode sentinel it is the name under which the Sentinels know the primary" -}}
{{- end -}}
{{- if and $redis.service (ne $redis.mode "sentinel") -}}
{{- fail "redis.service is given, but redis.mode is not sentinel" -}}
{{- end -}}
{{- if and (eq $redis.mode "cluster") (gt (int $redis.db) 0) -}}
{{- fail "redis.db: a Cluster has only database 0" -}}
{{- end -}}
{{- if and (or $redis.tls.caKey $redis.tls.certKey $redis.tls.keyKey) (not (and $redis.tls.enabled $redis.tls.existingSecret)) -}}
{{- fail "redis.tls: its keys need redis.tls.enabled and redis.tls.existingSecret" -}}
{{- end -}}
{{- if $redis.dev.enabled -}}
{{- if or $redis.tls.enabled $redis.passwordKey $redis.username (ne $redis.mode "standalone") -}}
{{- fail "redis.dev is a single server without password and TLS: remove the other keys of redis" -}}
{{- end -}}
{{- if gt (int (default dict .Values.config.redis).replicas) 0 -}}
{{- fail "config.redis.replicas asks replicas for confirmation, and redis.dev has none" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "ocpp-gateway.validateRoutes" -}}
{{- with .Values.httpRoute -}}
{{- if and .enabled (not .parentRefs) (not .gateway.create) -}}
{{- fail "httpRoute.parentRefs is empty: name the Gateway that takes the route, or set httpRoute.gateway.create" -}}
{{- end -}}
{{- if and .gateway.create (not .gateway.className) -}}
{{- fail "httpRoute.gateway.className is empty: a Gateway needs a class" -}}
{{- end -}}
{{- end -}}
{{- if and .Values.ingress.enabled (not .Values.ingress.hosts) -}}
{{- fail "ingress.hosts is empty: name the host to which chargers connect" -}}
{{- end -}}
{{- if and .Values.service.nodePort (eq .Values.service.type "ClusterIP") -}}
{{- fail "service.nodePort needs service.type NodePort or LoadBalancer" -}}
{{- end -}}
{{- end -}}

{{- define "ocpp-gateway.validateRole" -}}
{{- $values := .values -}}
{{- $role := .role -}}
{{- if and (not (kindIs "invalid" $values.pdb.minAvailable)) (not (kindIs "invalid" $values.pdb.maxUnavailable)) -}}
{{- fail (printf "%s.pdb: give minAvailable or maxUnavailable, and set the other one to null" $role) -}}
{{- end -}}
{{- if and $values.autoscaling.enabled $values.keda.enabled -}}
{{- fail (printf "%s.autoscaling and %s.keda exclude one another: KEDA makes a HorizontalPodAutoscaler itself" $role $role) -}}
{{- end -}}
{{- range list "autoscaling" "keda" -}}
{{- with index $values . -}}
{{- if and .enabled (gt (int .minReplicas) (int .maxReplicas)) -}}
{{- fail (printf "%s: minReplicas %d is more than maxReplicas %d" $role (int .minReplicas) (int .maxReplicas)) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- with $values.autoscaling -}}
{{- if and .enabled (not (or .targetConnections .targetCPU .metrics)) -}}
{{- fail (printf "%s.autoscaling has nothing to scale by: give targetConnections, targetCPU or metrics" $role) -}}
{{- end -}}
{{- end -}}
{{- if and $values.keda.enabled (not $values.keda.prometheusAddress) -}}
{{- fail (printf "%s.keda.prometheusAddress is empty: KEDA asks a Prometheus, such as http://prometheus-operated.monitoring:9090" $role) -}}
{{- end -}}
{{- with $values.terminationGracePeriodSeconds -}}
{{- $needed := include "ocpp-gateway.grace" $ | int -}}
{{- if lt (int .) $needed -}}
{{- fail (printf "%s.terminationGracePeriodSeconds is %d, but a drain takes up to %d s: raise it, or config.drain.close_rate, or lower config.listen.max_connections" $role (int .) $needed) -}}
{{- end -}}
{{- end -}}
{{- range $values.extraEnv -}}
{{- if and (hasPrefix "OCPPGW_" .name) (ne .name "OCPPGW_FAILPOINT") -}}
{{- fail (printf "%s.extraEnv sets %s: a key of the configuration belongs in config, where it is checked and rolled out" $role .name) -}}
{{- end -}}
{{- end -}}
{{- end -}}
