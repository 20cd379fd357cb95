{{- define "stepahead.name" -}}
{{- .Chart.Name | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- define "stepahead.fullname" -}}
{{- if contains .Chart.Name .Release.Name -}}
{{- .Release.Name | trunc 53 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name .Chart.Name | trunc 53 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "stepahead.labels" -}}
app.kubernetes.io/name: {{ include "stepahead.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end -}}

{{- define "stepahead.selector" -}}
app.kubernetes.io/name: {{ include "stepahead.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "stepahead.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "stepahead.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "stepahead.tag" -}}
{{- default .Chart.AppVersion .Values.image.tag -}}
{{- end -}}

{{- define "stepahead.environment" -}}
- name: STEPAHEAD_DATABASE_URL
  valueFrom:
    secretKeyRef:
      name: {{ .Values.database.secret }}
      key: {{ .Values.database.key }}
{{- if .Values.database.readKey }}
- name: STEPAHEAD_READ_DATABASE_URL
  valueFrom:
    secretKeyRef:
      name: {{ .Values.database.secret }}
      key: {{ .Values.database.readKey }}
{{- end }}
- name: STEPAHEAD_STORE_URL
  value: {{ .Values.store.url | quote }}
{{- range $name, $value := .Values.settings }}
- name: {{ $name }}
  value: {{ $value | quote }}
{{- end }}
{{- end -}}

{{- define "stepahead.key" -}}
- name: STEPAHEAD_API_KEY
  valueFrom:
    secretKeyRef:
      name: {{ .Values.apiKey.secret }}
      key: {{ .Values.apiKey.key }}
{{- end -}}

{{- define "stepahead.storeSecret" -}}
{{- if .Values.store.secret }}
envFrom:
  - secretRef:
      name: {{ .Values.store.secret }}
{{- end }}
{{- end -}}

{{- define "stepahead.podSecurity" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{- define "stepahead.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end -}}
