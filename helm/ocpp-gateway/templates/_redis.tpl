{{/* Environment variables that lead to the store. A password reaches the URL by the kubelet, not by this chart. */}}
{{- define "ocpp-gateway.redisEnv" -}}
{{- $redis := .Values.redis -}}
{{- if $redis.urlKey }}
- name: OCPPGW_REDIS__URL
  valueFrom:
    secretKeyRef:
      name: {{ $redis.existingSecret }}
      key: {{ $redis.urlKey }}
{{- else }}
{{- if $redis.passwordKey }}
- name: REDIS_PASSWORD
  valueFrom:
    secretKeyRef:
      name: {{ $redis.existingSecret }}
      key: {{ $redis.passwordKey }}
{{- end }}
{{- if $redis.sentinelPasswordKey }}
- name: REDIS_SENTINEL_PASSWORD
  valueFrom:
    secretKeyRef:
      name: {{ $redis.existingSecret }}
      key: {{ $redis.sentinelPasswordKey }}
{{- end }}
- name: OCPPGW_REDIS__URL
  value: {{ include "ocpp-gateway.redisUrl" . | quote }}
{{- end }}
{{- end -}}

{{- define "ocpp-gateway.redisUrl" -}}
{{- $redis := .Values.redis -}}
{{- $hosts := $redis.hosts -}}
{{- if $redis.dev.enabled -}}{{- $hosts = list (printf "%s-redis:6379" (include "ocpp-gateway.fullname" .)) -}}{{- end -}}
{{- $scheme := ternary "rediss" "redis" $redis.tls.enabled -}}
{{- if eq $redis.mode "sentinel" -}}{{- $scheme = printf "%s+sentinel" $scheme -}}{{- end -}}
{{- $login := "" -}}
{{- if or $redis.username $redis.passwordKey -}}
{{- $login = printf "%s:%s@" (urlquery $redis.username) (ternary "$(REDIS_PASSWORD)" "" (ne $redis.passwordKey "")) -}}
{{- end -}}
{{- $path := "" -}}
{{- if eq $redis.mode "sentinel" -}}{{- $path = printf "/%s" $redis.service -}}{{- end -}}
{{- if $redis.db -}}{{- $path = printf "%s/%d" $path (int $redis.db) -}}{{- end -}}
{{- $query := list -}}
{{- if $redis.tls.enabled -}}
{{- with $redis.tls.caKey -}}{{- $query = append $query (printf "ssl_ca_certs=/etc/ocpp-gateway/redis-tls/%s" .) -}}{{- end -}}
{{- with $redis.tls.certKey -}}{{- $query = append $query (printf "ssl_certfile=/etc/ocpp-gateway/redis-tls/%s" .) -}}{{- end -}}
{{- with $redis.tls.keyKey -}}{{- $query = append $query (printf "ssl_keyfile=/etc/ocpp-gateway/redis-tls/%s" .) -}}{{- end -}}
{{- end -}}
{{- with $redis.sentinelUsername -}}{{- $query = append $query (printf "sentinel_username=%s" (urlquery .)) -}}{{- end -}}
{{- with $redis.sentinelPasswordKey -}}{{- $query = append $query "sentinel_password=$(REDIS_SENTINEL_PASSWORD)" -}}{{- end -}}
{{- $scheme -}}://{{- $login -}}{{- join "," $hosts -}}{{- $path -}}{{- with $query -}}?{{- join "&" . -}}{{- end -}}
{{- end -}}
