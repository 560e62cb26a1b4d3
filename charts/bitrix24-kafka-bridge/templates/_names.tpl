{{/* Name of the chart's objects' label. */}}
{{- define "bridge.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{/* First part of the names of all objects. A StatefulSet's pods add an ordinal, its revisions a hash of ten: 52 are left. */}}
{{- define "bridge.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 52 | trimSuffix "-" }}
{{- else if contains (include "bridge.name" .) .Release.Name }}
{{- .Release.Name | trunc 52 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name (include "bridge.name" .) | trunc 52 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{/* Service of the admin port. The one of events is bridge.fullname, the headless one bridge.headlessName. */}}
{{- define "bridge.adminName" -}}
{{ include "bridge.fullname" . }}-admin
{{- end }}
{{- define "bridge.headlessName" -}}
{{ include "bridge.fullname" . }}-headless
{{- end }}

{{/* What selects the pods that take events. Never changes. */}}
{{- define "bridge.selectorLabels" -}}
app.kubernetes.io/name: {{ include "bridge.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: bridge
{{- end }}

{{/* Labels of an object. Called with a list: the context and the component. */}}
{{- define "bridge.componentLabels" -}}
{{- $context := index . 0 -}}
helm.sh/chart: {{ printf "%s-%s" $context.Chart.Name $context.Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
app.kubernetes.io/name: {{ include "bridge.name" $context }}
app.kubernetes.io/instance: {{ $context.Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
app.kubernetes.io/version: {{ $context.Values.image.tag | default $context.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ $context.Release.Service }}
app.kubernetes.io/part-of: b24bridge
{{- with $context.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* Labels of the objects that belong to the pods that take events. */}}
{{- define "bridge.labels" -}}
{{ include "bridge.componentLabels" (list . "bridge") }}
{{- end }}

{{- define "bridge.serviceAccountName" -}}
{{- if .Values.serviceAccount.create }}
{{- default (include "bridge.fullname" .) .Values.serviceAccount.name }}
{{- else }}
{{- default "default" .Values.serviceAccount.name }}
{{- end }}
{{- end }}

{{- define "bridge.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end }}
{{- end }}

{{/* Annotations of an object. Called with a list: the context, and annotations of its own. */}}
{{- define "bridge.annotations" -}}
{{- with merge dict (index . 1) (index . 0).Values.commonAnnotations -}}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
