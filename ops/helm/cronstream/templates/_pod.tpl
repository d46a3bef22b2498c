{{/*
The pod of a process. Give it `root`, and what `cronstream.processes` has of the process: `kind`,
`cluster`, `values`.
*/}}
{{- define "cronstream.pod" -}}
{{- $values := .values -}}
{{- $isScheduler := eq .kind "scheduler" -}}
metadata:
  labels:
    {{- include "cronstream.processSelector" . | nindent 4 }}
    {{- with $values.labels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  {{- with $values.annotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
spec:
  serviceAccountName: {{ include "cronstream.serviceAccountName" .root }}
  # It asks nothing of Kubernetes.
  automountServiceAccountToken: false
  # Else a Service that is called cronstream-web would set CRONSTREAM_WEB_PORT to tcp://….
  enableServiceLinks: false
  {{- with .root.Values.imagePullSecrets }}
  imagePullSecrets:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $values.podSecurityContext }}
  securityContext:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- include "cronstream.placement" . | nindent 2 }}
  terminationGracePeriodSeconds: {{ include "cronstream.graceSeconds" $values }}
  containers:
    - name: cronstream
      image: {{ include "cronstream.image" (dict "root" .root "image" $values.image) | quote }}
      imagePullPolicy: {{ $values.image.pullPolicy }}
      args:
        - {{ ternary "console" "worker" (eq .kind "console") }}
        {{- with .cluster }}
        - --cluster
        - {{ . | quote }}
        {{- end }}
        {{- if eq .kind "retry-worker" }}
        - --retry
        {{- end }}
      env:
        {{- include "cronstream.env" . | nindent 8 }}
      {{- with $values.extraEnvFrom }}
      envFrom:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      ports:
        - {name: metrics, containerPort: 9464}
        {{- if eq .kind "console" }}
        - {name: web, containerPort: 6060}
        {{- end }}
      {{- include "cronstream.probes" $values | nindent 6 }}
      {{- with $values.resources }}
      resources:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with $values.securityContext }}
      securityContext:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      volumeMounts:
        {{- include "cronstream.mounts" . | nindent 8 }}
  volumes:
    {{- include "cronstream.volumes" . | nindent 4 }}
{{- end -}}

{{- define "cronstream.env" -}}
{{- include "cronstream.kafkaEnv" .values.kafka }}
{{- if eq .kind "console" }}
- name: CRONSTREAM_WEB_PORT
  value: "6060"
- name: CRONSTREAM_WEB_BIND
  value: 0.0.0.0
{{- if .values.token.secret }}
- name: CRONSTREAM_WEB_TOKEN_FILE
  value: /etc/cronstream-console/token
{{- end }}
{{- else }}
- name: CRONSTREAM_WEB_PORT
  value: "6066"
{{- end }}
# /metrics and /health alone; all other pages of workers and schedulers are served on 127.0.0.1.
- name: CRONSTREAM_METRICS_BIND
  value: 0.0.0.0:9464
- name: CRONSTREAM_DATA_DIR
  value: /var/lib/cronstream
{{- if eq .kind "scheduler" }}
- name: CRONSTREAM_CRONTAB
  value: /etc/cronstream/crontab.yaml
{{- end }}
{{- if include "cronstream.trustedKeysConfigMap" .root }}
- name: CRONSTREAM_TRUSTED_KEYS
  value: /etc/cronstream-keys/trusted-keys
- name: CRONSTREAM_SIGNATURES
  value: {{ .root.Values.signing.signatures }}
{{- end }}
{{- if (include "cronstream.signingKey" . | fromJson).secret }}
- name: CRONSTREAM_SIGNING_KEY
  value: /etc/cronstream-signing/signing.key
{{- end }}
{{- include "cronstream.settings" .values }}
{{- end -}}

{{/* Whether it does its work; not whether it lives: docs/kubernetes.md says why. */}}
{{- define "cronstream.probes" -}}
{{- with .readinessProbe -}}
readinessProbe:
  {{- if not (or .exec .httpGet .tcpSocket .grpc) }}
  httpGet: {path: /health, port: metrics}
  {{- end }}
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .livenessProbe }}
livenessProbe:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* The Secret with the key that a process signs with, in JSON; workers have none. */}}
{{- define "cronstream.signingKey" -}}
{{- if eq .kind "scheduler" -}}
{{- toJson .root.Values.signing.privateKey -}}
{{- else if eq .kind "console" -}}
{{- toJson .values.signingKey -}}
{{- else -}}
{}
{{- end -}}
{{- end -}}

{{- define "cronstream.mounts" -}}
- {name: data, mountPath: /var/lib/cronstream}
- {name: tmp, mountPath: /tmp}
{{- if include "cronstream.kafkaSources" .values.kafka }}
- {name: kafka, mountPath: /etc/cronstream-kafka, readOnly: true}
{{- end }}
{{- if eq .kind "scheduler" }}
# The folder: a file that is mounted by subPath would never change.
- {name: crontab, mountPath: /etc/cronstream, readOnly: true}
{{- end }}
{{- if (include "cronstream.signingKey" . | fromJson).secret }}
- {name: signing-key, mountPath: /etc/cronstream-signing, readOnly: true}
{{- end }}
{{- if and (eq .kind "console") .values.token.secret }}
- {name: token, mountPath: /etc/cronstream-console, readOnly: true}
{{- end }}
{{- if include "cronstream.trustedKeysConfigMap" .root }}
- {name: trusted-keys, mountPath: /etc/cronstream-keys, readOnly: true}
{{- end }}
{{- with .values.extraVolumeMounts }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "cronstream.volumes" -}}
- name: data
  {{- if .values.existingClaim }}
  persistentVolumeClaim: {claimName: {{ .values.existingClaim | quote }}}
  {{- else }}
  emptyDir: {{ toJson .values.dataVolume }}
  {{- end }}
- name: tmp
  emptyDir: {{ toJson .values.tmpVolume }}
{{- with include "cronstream.kafkaSources" .values.kafka }}
- name: kafka
  projected:
    # Who owns them is root; the process reads them by the group of the pod (fsGroup).
    defaultMode: 0440
    sources:
      {{- . | trim | nindent 6 }}
{{- end }}
{{- if eq .kind "scheduler" }}
- name: crontab
  configMap:
    name: {{ include "cronstream.crontabConfigMap" .root }}
    items: [{key: crontab.yaml, path: crontab.yaml}]
{{- end }}
{{- with include "cronstream.signingKey" . | fromJson }}
{{- if .secret }}
- name: signing-key
  secret:
    secretName: {{ .secret }}
    defaultMode: 0440
    items: [{key: {{ .key | quote }}, path: signing.key}]
{{- end }}
{{- end }}
{{- if and (eq .kind "console") .values.token.secret }}
- name: token
  secret:
    secretName: {{ .values.token.secret }}
    defaultMode: 0440
    items: [{key: {{ .values.token.key | quote }}, path: token}]
{{- end }}
{{- with include "cronstream.trustedKeysConfigMap" .root }}
- name: trusted-keys
  configMap:
    name: {{ . }}
    items: [{key: {{ $.root.Values.signing.trustedKeys.key | quote }}, path: trusted-keys}]
{{- end }}
{{- with .values.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* Where it runs. */}}
{{- define "cronstream.placement" -}}
{{- with .values.priorityClassName -}}
priorityClassName: {{ . }}
{{- end }}
{{- with .values.runtimeClassName }}
runtimeClassName: {{ . }}
{{- end }}
{{- with .values.topologySpread }}
topologySpreadConstraints:
  - labelSelector:
      matchLabels:
        {{- include "cronstream.processSelector" $ | nindent 8 }}
    {{- toYaml . | nindent 4 }}
{{- end }}
{{- range $key := list "nodeSelector" "tolerations" "affinity" }}
{{- with get $.values $key }}
{{ $key }}:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
{{- end -}}
