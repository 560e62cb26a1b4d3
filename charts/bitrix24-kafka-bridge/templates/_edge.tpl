{{/* Not empty: the bridge is a Bitrix24 application, so that it installs itself, calls portals and keeps a registry. */}}
{{- define "bridge.isApplication" -}}
{{- if (.Values.config.application).clientId }}true{{ end }}
{{- end }}

{{/* Not empty: portals are kept in Kafka too. */}}
{{- define "bridge.keepsRegistry" -}}
{{- if kindIs "bool" .Values.portals.registry }}
{{- if .Values.portals.registry }}true{{ end }}
{{- else }}
{{- include "bridge.isApplication" . }}
{{- end }}
{{- end }}

{{/* What the public may reach, as a YAML list: never the admin port. */}}
{{- define "bridge.publicPaths" -}}
- {{ (.Values.config.http).path | default "/b24/events" | quote }}
{{- if include "bridge.isApplication" . }}
- {{ (.Values.config.http).installPath | default "/b24/install" | quote }}
{{- end }}
{{- end }}
