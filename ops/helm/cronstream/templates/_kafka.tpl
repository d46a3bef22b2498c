{{/* How a process reaches Kafka: its variables, and the files that they name. */}}

{{- define "cronstream.kafkaEnv" -}}
{{- $folder := "/etc/cronstream-kafka" -}}
- name: CRONSTREAM_BROKER
  value: {{ if not .brokers }}{{ fail "kafka.brokers: name where Kafka is, as in --set 'kafka.brokers={kafka:9092}'" }}{{ end -}}
  {{- range $n, $broker := .brokers }}{{ if $n }};{{ end }}kafka://{{ $broker | trimPrefix "kafka://" }}{{ end }}
- name: CRONSTREAM_BROKER_SECURITY
  value: {{ .security }}
{{- if or .ca.secret .ca.configMap }}
- name: CRONSTREAM_BROKER_CA
  value: {{ $folder }}/ca.crt
{{- end }}
{{- if .certificate.secret }}
- name: CRONSTREAM_BROKER_CERT
  value: {{ $folder }}/tls.crt
- name: CRONSTREAM_BROKER_KEY
  value: {{ $folder }}/tls.key
{{- end }}
{{- with .mechanism }}
- name: CRONSTREAM_BROKER_MECHANISM
  value: {{ . }}
{{- end }}
{{- if .userFrom.secret }}
- name: CRONSTREAM_BROKER_USER
  valueFrom:
    secretKeyRef:
      name: {{ .userFrom.secret }}
      key: {{ .userFrom.key }}
{{- else if .user }}
- name: CRONSTREAM_BROKER_USER
  value: {{ .user | quote }}
{{- end }}
{{- if .password.secret }}
- name: CRONSTREAM_BROKER_PASSWORD_FILE
  value: {{ $folder }}/password
{{- end }}
{{- if .token.secret }}
- name: CRONSTREAM_BROKER_TOKEN_FILE
  value: {{ $folder }}/token
{{- end }}
{{- with .token.command }}
- name: CRONSTREAM_BROKER_TOKEN_COMMAND
  value: {{ . | quote }}
{{- end }}
{{- end -}}

{{/* The files, as one volume: a Secret that changes is seen in it, and read for each connection. */}}
{{- define "cronstream.kafkaSources" -}}
{{- if .ca.secret }}
- secret:
    name: {{ .ca.secret }}
    items: [{key: {{ .ca.key | quote }}, path: ca.crt}]
{{- else if .ca.configMap }}
- configMap:
    name: {{ .ca.configMap }}
    items: [{key: {{ .ca.key | quote }}, path: ca.crt}]
{{- end }}
{{- with .certificate }}
{{- if .secret }}
- secret:
    name: {{ .secret }}
    items:
      - {key: {{ .certKey | quote }}, path: tls.crt}
      - {key: {{ .keyKey | quote }}, path: tls.key}
{{- end }}
{{- end }}
{{- range $path, $of := dict "password" .password "token" .token }}
{{- if $of.secret }}
- secret:
    name: {{ $of.secret }}
    items: [{key: {{ $of.key | quote }}, path: {{ $path }}}]
{{- end }}
{{- end }}
{{- end -}}
