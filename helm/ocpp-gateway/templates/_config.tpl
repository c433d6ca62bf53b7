{{/* Keys of the sections of staticConfig that a running process can take over all the same. */}}
{{- define "ocpp-gateway.free" -}}
listen: [max_connections, max_frame, write_buffer, handshake_timeout, accept_rate, accept_burst, allow_from, hide_unknown, allow_downgrade, exact_username]
admin: [tokens]
{{- end -}}

{{/* What a running process can take over: everything but what is in staticConfig, with the files of the Secrets. */}}
{{- define "ocpp-gateway.dynamicConfig" -}}
{{- $config := omit .Values.config "listen" "redis" "admin" "registry" "vault" -}}
{{- $upstreams := dict -}}
{{- range $name, $upstream := .Values.config.upstreams -}}
{{- $upstream = deepCopy $upstream -}}
{{- with index $.Values.upstreamSecrets $name -}}
{{- $files := dict "passwordKey" "password_file" "passwordsKey" "passwords_file" "urlKey" "url_file"
      "clientCertKey" "client_cert" "clientKeyKey" "client_key" "caKey" "ca_file" -}}
{{- range $key, $setting := $files -}}
{{- with index $.Values.upstreamSecrets $name $key -}}
{{- $_ := set $upstream $setting (printf "/etc/ocpp-gateway/upstreams/%s/%s" $name .) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- $_ := set $upstreams $name $upstream -}}
{{- end -}}
{{- $_ := set $config "upstreams" $upstreams -}}
{{- $free := include "ocpp-gateway.free" . | fromYaml -}}
{{- $listeners := list -}}
{{- range $listener := include "ocpp-gateway.listeners" . | fromYamlArray -}}
{{- $part := dict -}}
{{- range $free.listen -}}
{{- if hasKey $listener . -}}{{- $_ := set $part . (index $listener .) -}}{{- end -}}
{{- end -}}
{{- $listeners = append $listeners $part -}}
{{- end -}}
{{- $_ := set $config "listen" (ternary (first $listeners) $listeners (eq (len $listeners) 1)) -}}
{{- with (default dict .Values.config.admin).tokens -}}
{{- $_ := set $config "admin" (dict "tokens" .) -}}
{{- end -}}
{{- range $key := keys $config | sortAlpha -}}
{{- if empty (index $config $key) -}}{{- $_ := unset $config $key -}}{{- end -}}
{{- end -}}
{{- toYaml $config -}}
{{- end -}}

{{/* What needs a restart, as environment variables: sections as JSON, which is YAML too. */}}
{{- define "ocpp-gateway.staticConfig" -}}
{{- $listeners := include "ocpp-gateway.listeners" . | fromYamlArray -}}
{{- $free := include "ocpp-gateway.free" . | fromYaml -}}
{{- $admin := merge (omit (deepCopy (default dict .Values.config.admin)) "tokens") (dict "host" "0.0.0.0" "port" 9001) -}}
{{- $redis := deepCopy (default dict .Values.config.redis) -}}
{{- if eq .Values.redis.mode "cluster" -}}{{- $_ := set $redis "cluster" true -}}{{- end -}}
{{- range $index, $listener := $listeners }}
{{- $place := ternary "" (printf "%d__" $index) (eq (len $listeners) 1) }}
{{- range $key, $value := $listener }}
{{- if not (has $key $free.listen) }}
OCPPGW_LISTEN__{{ $place }}{{ upper $key }}: {{ kindIs "string" $value | ternary $value (toJson $value) | quote }}
{{- end }}
{{- end }}
{{- end }}
{{- range $key, $value := $admin }}
OCPPGW_ADMIN__{{ upper $key }}: {{ kindIs "string" $value | ternary $value (toJson $value) | quote }}
{{- end }}
{{- range $section := list "registry" "vault" }}
{{- with index $.Values.config $section }}
OCPPGW_{{ upper $section }}: {{ toJson . | quote }}
{{- end }}
{{- end }}
{{- range $key, $value := $redis }}
OCPPGW_REDIS__{{ upper $key }}: {{ kindIs "string" $value | ternary $value (toJson $value) | quote }}
{{- end }}
{{- end -}}

{{/* config.listen as a list, with the defaults of the chart. */}}
{{- define "ocpp-gateway.listeners" -}}
{{- $given := default dict .Values.config.listen -}}
{{- $listeners := list -}}
{{- range kindIs "slice" $given | ternary $given (list $given) -}}
{{- $listeners = append $listeners (merge (deepCopy .) (dict "host" "0.0.0.0" "port" 9000 "max_connections" 10000)) -}}
{{- end -}}
{{- toYaml $listeners -}}
{{- end -}}

{{/* `10s`, `5m`, 12.5 -> seconds. */}}
{{- define "ocpp-gateway.seconds" -}}
{{- $text := toString . | trim -}}
{{- $number := regexFind "^[0-9.]+" $text | float64 -}}
{{- $unit := regexFind "[a-z]*$" $text -}}
{{- mulf $number (get (dict "ms" 0.001 "" 1.0 "s" 1.0 "m" 60.0 "h" 3600.0 "d" 86400.0) $unit) -}}
{{- end -}}

{{/* How long a drain takes at most, as `ocpp-gateway check-config` says it (gateway/grace.py). root, role. */}}
{{- define "ocpp-gateway.grace" -}}
{{- $drain := default dict .root.Values.config.drain -}}
{{- $chargers := 0 -}}
{{- range include "ocpp-gateway.listeners" .root | fromYamlArray -}}
{{- $chargers = add $chargers .max_connections -}}
{{- end -}}
{{- $timeout := ternary "10s" $drain.timeout (kindIs "invalid" $drain.timeout) -}}
{{- $seconds := addf 10 (include "ocpp-gateway.seconds" $timeout | float64) -}}
{{- if ne .role "hub" -}}
{{- $delay := ternary "0s" $drain.delay (kindIs "invalid" $drain.delay) -}}
{{- $closing := divf $chargers (default 100 $drain.close_rate) -}}
{{- $seconds = addf $seconds 5 (include "ocpp-gateway.seconds" $delay | float64) $closing -}}
{{- end -}}
{{- ceil $seconds | int -}}
{{- end -}}
