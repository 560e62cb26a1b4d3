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

{{/* What selects all pods of the release, its Jobs and its test too. Never changes. */}}
{{- define "bridge.releaseLabels" -}}
app.kubernetes.io/name: {{ include "bridge.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{/* What selects the pods that take events. Never changes. */}}
{{- define "bridge.selectorLabels" -}}
{{ include "bridge.releaseLabels" . }}
app.kubernetes.io/component: bridge
{{- end }}

{{/* Metadata of an object. Called with a dict: context; name, by default the release's full name; namespace, by default the
     release's; component, by default bridge, as of all that belongs to the pods that take events; labels and annotations beside
     those of all objects. */}}
{{- define "bridge.metadata" -}}
{{- $own := . -}}
{{- with .context -}}
name: {{ $own.name | default (include "bridge.fullname" .) }}
namespace: {{ $own.namespace | default .Release.Namespace }}
labels:
  helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
  {{- include "bridge.releaseLabels" . | nindent 2 }}
  app.kubernetes.io/component: {{ $own.component | default "bridge" }}
  app.kubernetes.io/version: {{ .Values.image.tag | default .Chart.AppVersion | quote }}
  app.kubernetes.io/managed-by: {{ .Release.Service }}
  app.kubernetes.io/part-of: b24bridge
  {{- with merge dict ($own.labels | default dict) .Values.commonLabels }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- with merge dict ($own.annotations | default dict) .Values.commonAnnotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
{{- end }}

{{/* Replicas that there always are. */}}
{{- define "bridge.leastReplicas" -}}
{{- ternary .Values.autoscaling.minReplicas .Values.replicaCount .Values.autoscaling.enabled | int -}}
{{- end }}

{{- define "bridge.serviceAccountName" -}}
{{- if .Values.serviceAccount.create }}
{{- default (include "bridge.fullname" .) .Values.serviceAccount.name }}
{{- else }}
{{- default "default" .Values.serviceAccount.name }}
{{- end }}
{{- end }}

{{/* The line with the number of replicas. With an autoscaler it is what there is, as without the line Kubernetes would make it 1;
     where nobody can be asked (helm template, the first installation) there is none, and the autoscaler sets it. */}}
{{- define "bridge.replicas" -}}
{{- if .Values.autoscaling.enabled -}}
{{- $kind := ternary "StatefulSet" "Deployment" .Values.persistence.enabled -}}
{{- with lookup "apps/v1" $kind .Release.Namespace (include "bridge.fullname" .) -}}
replicas: {{ max (int .spec.replicas) (int $.Values.autoscaling.minReplicas) }}
{{- end -}}
{{- else -}}
replicas: {{ .Values.replicaCount }}
{{- end -}}
{{- end }}

{{- define "bridge.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end }}
{{- end }}

