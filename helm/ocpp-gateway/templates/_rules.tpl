{{/* files/alerts.yaml with what the values change: alerts left out, thresholds, times, severities, links. */}}
{{- define "ocpp-gateway.rules" -}}
{{- $settings := .Values.prometheusRule -}}
{{- $known := list -}}
{{- $groups := list -}}
{{- range (.Files.Get "files/alerts.yaml" | fromYaml).groups -}}
{{- $rules := list -}}
{{- range .rules -}}
{{- if .record -}}
{{- $rules = append $rules . -}}
{{- else -}}
{{- $known = append $known .alert -}}
{{- if not (has .alert $settings.disabled) -}}
{{- $rule := . -}}
{{- with index $settings.overrides .alert -}}
{{- if not (kindIs "invalid" .threshold) -}}
{{- $_ := set $rule "expr" (regexReplaceAll "([<>]) [0-9.]+\\s*$" $rule.expr (printf "${1} %s" (toJson .threshold))) -}}
{{- end -}}
{{- with index . "for" -}}{{- $_ := set $rule "for" . -}}{{- end -}}
{{- with .severity -}}{{- $_ := set $rule.labels "severity" . -}}{{- end -}}
{{- end -}}
{{- $_ := set $rule.annotations "runbook_url" (printf "%s%s" $settings.runbookBaseUrl $rule.annotations.runbook_url) -}}
{{- $_ := set $rule.annotations "dashboard_url" (printf "%s%s" $settings.grafanaBaseUrl $rule.annotations.dashboard_url) -}}
{{- $rules = append $rules $rule -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if $rules -}}{{- $groups = append $groups (dict "name" .name "rules" $rules) -}}{{- end -}}
{{- end -}}
{{- range concat $settings.disabled (keys $settings.overrides | sortAlpha) -}}
{{- if not (has . $known) -}}
{{- fail (printf "prometheusRule: there is no alert %s; there are %s" . (join ", " $known)) -}}
{{- end -}}
{{- end -}}
{{- toYaml (dict "groups" (concat $groups $settings.extraGroups)) -}}
{{- end -}}
