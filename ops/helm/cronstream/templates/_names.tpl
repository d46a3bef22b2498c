{{/* What things are called, and by which labels they find each other. */}}

{{- define "cronstream.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{- define "cronstream.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else if contains (include "cronstream.name" .) .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "cronstream.name" .) | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "cronstream.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "cronstream.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{/* The labels of everything. */}}
{{- define "cronstream.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/part-of: cronstream
{{ include "cronstream.selector" . }}
{{- end -}}

{{/* Those by which all processes of this release are found. */}}
{{- define "cronstream.selector" -}}
app.kubernetes.io/name: {{ include "cronstream.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{/* Those by which the processes of one role are: give it a process of `cronstream.processes`. */}}
{{- define "cronstream.processSelector" -}}
{{ include "cronstream.selector" .root }}
app.kubernetes.io/component: {{ .kind }}
{{- with .cluster }}
cronstream-cluster: {{ . | quote }}
{{- end }}
{{- end -}}
