{{/* As many workers as the runs that are due and have not started ask for. */}}
{{- define "cronstream.autoscaler" -}}
{{- $wish := .values.autoscaling -}}
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata:
  name: {{ .name }}
  namespace: {{ .root.Release.Namespace }}
  labels:
    {{- include "cronstream.labels" .root | nindent 4 }}
    app.kubernetes.io/component: {{ .kind }}
spec:
  scaleTargetRef:
    apiVersion: apps/v1
    kind: Deployment
    name: {{ .name }}
  minReplicas: {{ $wish.minReplicas }}
  maxReplicas: {{ $wish.maxReplicas }}
  metrics:
    {{- if eq $wish.metricType "Pods" }}
    - type: Pods
      pods:
        metric:
          name: {{ $wish.metricName }}
        target:
          type: AverageValue
          averageValue: {{ $wish.waitingRuns | quote }}
    {{- else }}
    - type: External
      external:
        metric:
          name: {{ $wish.metricName }}
          selector:
            matchLabels:
              namespace: {{ .root.Release.Namespace }}
              cluster: {{ .cluster | quote }}
              role: {{ .kind }}
        target:
          type: AverageValue
          averageValue: {{ $wish.waitingRuns | quote }}
    {{- end }}
  {{- with $wish.behavior }}
  behavior:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end -}}
