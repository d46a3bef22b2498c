{{/*
All Deployments of this release, as a list in JSON: each has its `kind` (scheduler, worker,
retry-worker, console), `cluster`, `name`, and as `values` what holds for it.
*/}}
{{- define "cronstream.processes" -}}
{{- $general := dict "image" .Values.image "kafka" .Values.kafka "settings" .Values.settings -}}
{{- $general = mergeOverwrite (deepCopy $general) (deepCopy .Values.pod) -}}
{{- $fullname := include "cronstream.fullname" . -}}
{{- $values := mergeOverwrite (deepCopy $general) (deepCopy .Values.scheduler) -}}
{{- $found := list (dict "kind" "scheduler" "cluster" "" "name" (printf "%s-scheduler" $fullname) "values" $values) -}}
{{- if .Values.console.enabled -}}
{{- $values := mergeOverwrite (deepCopy $general) (deepCopy .Values.console) -}}
{{- if not (or $values.token.secret (get $values.settings "CRONSTREAM_WEB_BEHIND_TLS")) -}}
{{- fail "console.token.secret: name the Secret with the token of its pages, or say by console.settings.CRONSTREAM_WEB_BEHIND_TLS=true that a proxy with TLS is in front" -}}
{{- end -}}
{{- if and $values.existingClaim (gt (int $values.replicas) 1) -}}
{{- fail "console.existingClaim: one console alone may use a volume; leave it out for more replicas" -}}
{{- end -}}
{{- $_ := set $values "strategy" (ternary (dict "type" "Recreate") $values.strategy (ne $values.existingClaim "")) -}}
{{- $found = append $found (dict "kind" "console" "cluster" "" "name" (printf "%s-console" $fullname) "values" $values) -}}
{{- end -}}
{{- range $cluster, $own := .Values.clusters -}}
{{- $own = default dict $own -}}
{{- $worker := mergeOverwrite (deepCopy $general) (deepCopy $.Values.worker) -}}
{{- $retry := mergeOverwrite (deepCopy $worker) (deepCopy $.Values.retryWorker) (deepCopy (default dict $own.retryWorker)) -}}
{{- $worker = mergeOverwrite $worker (deepCopy (default dict $own.worker)) -}}
{{- range $kind, $values := dict "worker" $worker "retry-worker" $retry -}}
{{- if ne (toString $values.enabled) "false" -}}
{{- $name := printf "%s-%s-%s" $fullname $cluster $kind -}}
{{- $found = append $found (dict "kind" $kind "cluster" $cluster "name" $name "values" $values) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- toJson $found -}}
{{- end -}}

{{/* The seconds that a process may take to end: what its commands have, 45 of its own, and 10. */}}
{{- define "cronstream.graceSeconds" -}}
{{- $drain := 20 -}}
{{- if hasKey .settings "CRONSTREAM_DRAIN_S" -}}
{{- $drain = get .settings "CRONSTREAM_DRAIN_S" | float64 | ceil | int -}}
{{- end -}}
{{- add $drain 55 -}}
{{- end -}}

{{/* Variables of a process that are set as they are named. */}}
{{- define "cronstream.settings" -}}
{{- range $name, $value := .settings }}
{{- if not (kindIs "invalid" $value) }}
- name: {{ $name }}
  # A number by JSON's rules: Go's would have 1e+06 for a million.
  value: {{ ternary $value (toJson $value) (kindIs "string" $value) | quote }}
{{- end }}
{{- end }}
{{- with .extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "cronstream.image" -}}
{{- $tag := default .root.Chart.AppVersion .image.tag -}}
{{- if .image.digest -}}
{{- printf "%s@%s" .image.repository .image.digest -}}
{{- else -}}
{{- printf "%s:%s" .image.repository $tag -}}
{{- end -}}
{{- end -}}
