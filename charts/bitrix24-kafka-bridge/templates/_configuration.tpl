{{/* true: an application installs the bridge. */}}
{{- define "bridge.isApplication" -}}
{{- with .Values.config.application }}{{ if .clientId }}true{{ end }}{{ end -}}
{{- end }}

{{/* true: portals are kept in Kafka. */}}
{{- define "bridge.keepsRegistry" -}}
{{- if kindIs "bool" .Values.portals.registry -}}
{{- if .Values.portals.registry }}true{{ end -}}
{{- else -}}
{{- include "bridge.isApplication" . -}}
{{- end -}}
{{- end }}

{{/* true: the bridge itself calls Bitrix24: its portals, or for the lists of where it sends from. */}}
{{- define "bridge.asksBitrix24" -}}
{{- if or (include "bridge.isApplication" .) .Values.config.http.allowedNetworks }}true{{ end -}}
{{- end }}

{{/* Where events are taken, and where the application is installed. */}}
{{- define "bridge.eventsPath" -}}
{{ (.Values.config.http).path | default "/b24/events" }}
{{- end }}
{{- define "bridge.installPath" -}}
{{ (.Values.config.http).installPath | default "/b24/install" }}
{{- end }}

{{/* What the public may reach, as a YAML list: never the admin port. */}}
{{- define "bridge.publicPaths" -}}
- {{ include "bridge.eventsPath" . | quote }}
{{- if include "bridge.isApplication" . }}
- {{ include "bridge.installPath" . | quote }}
{{- end }}
{{- end }}

{{/* Name of the Secret with portals.yaml; empty: there is none. */}}
{{- define "bridge.portalsSecret" -}}
{{- if .Values.portals.static -}}
{{ include "bridge.fullname" . }}-portals
{{- else -}}
{{ .Values.portals.existingSecret }}
{{- end -}}
{{- end }}

{{/* true: the Kafka clients log in by OAUTHBEARER. */}}
{{- define "bridge.usesOAuth" -}}
{{- with .Values.config.kafka.oauth }}true{{ end -}}
{{- end }}

{{/* Properties of librdkafka that kafka.tls, kafka.sasl and config.kafka.oauth make, as YAML. */}}
{{- define "bridge.kafkaProperties" -}}
{{- $hasLogin := or .Values.kafka.sasl.mechanism (include "bridge.usesOAuth" .) -}}
{{- with .Values.kafka.tls -}}
{{- if .enabled }}
security.protocol: {{ if $hasLogin }}SASL_SSL{{ else }}SSL{{ end }}
{{- if .ca.existingSecret }}
ssl.ca.location: /etc/b24bridge/secrets/kafka-ca/ca.crt
{{- end }}
{{- if .client.existingSecret }}
ssl.certificate.location: /etc/b24bridge/secrets/kafka-client/tls.crt
ssl.key.location: /etc/b24bridge/secrets/kafka-client/tls.key
{{- end }}
{{- else if $hasLogin }}
security.protocol: SASL_PLAINTEXT
{{- end }}
{{- end }}
{{- with .Values.kafka.sasl -}}
{{- if .mechanism }}
sasl.mechanism: {{ .mechanism }}
{{- if .usernameKey }}
sasl.username: {file: /etc/b24bridge/secrets/kafka-sasl/username}
{{- else }}
sasl.username: {{ .username | toJson }}
{{- end }}
sasl.password: {file: /etc/b24bridge/secrets/kafka-sasl/password}
{{- end }}
{{- end }}
{{- end }}

{{/* The Secrets that the pods read, as sources of a projected volume: their files below /etc/b24bridge. */}}
{{- define "bridge.secretSources" -}}
{{- with .Values.kafka.tls -}}
{{- if .ca.existingSecret }}
- secret:
    name: {{ .ca.existingSecret | quote }}
    items:
      - key: {{ .ca.key | quote }}
        path: secrets/kafka-ca/ca.crt
{{- end }}
{{- if .client.existingSecret }}
- secret:
    name: {{ .client.existingSecret | quote }}
    items:
      - key: {{ .client.certificateKey | quote }}
        path: secrets/kafka-client/tls.crt
      - key: {{ .client.privateKeyKey | quote }}
        path: secrets/kafka-client/tls.key
{{- end }}
{{- end }}
{{- with .Values.kafka.sasl -}}
{{- if .mechanism }}
- secret:
    name: {{ .existingSecret | quote }}
    items:
      - key: {{ .passwordKey | quote }}
        path: secrets/kafka-sasl/password
      {{- with .usernameKey }}
      - key: {{ . | quote }}
        path: secrets/kafka-sasl/username
      {{- end }}
{{- end }}
{{- end }}
{{- if include "bridge.usesOAuth" . }}
- secret:
    name: {{ .Values.kafka.oauth.existingSecret | quote }}
    items:
      - key: {{ .Values.kafka.oauth.clientSecretKey | quote }}
        path: secrets/kafka-oauth/client-secret
{{- end }}
{{- if include "bridge.isApplication" . }}
- secret:
    name: {{ .Values.application.existingSecret | quote }}
    items:
      - key: {{ .Values.application.clientSecretKey | quote }}
        path: secrets/application/client-secret
      - key: {{ .Values.application.sealingKeyKey | quote }}
        path: secrets/application/sealing-key-{{ .Values.application.sealingKeyId }}
      {{- range .Values.application.previousSealingKeys }}
      - key: {{ .secretKey | quote }}
        path: secrets/application/sealing-key-{{ .keyId }}
      {{- end }}
{{- end }}
{{- with include "bridge.portalsSecret" . }}
- secret:
    name: {{ . | quote }}
    items:
      - key: portals.yaml
        path: portals/portals.yaml
{{- end }}
{{- end }}

{{/* b24bridge.yaml: what stands in config, and what the chart knows. */}}
{{- define "bridge.configuration" -}}
{{- $config := deepCopy .Values.config -}}
{{- range $section := list "http" "kafka" "journal" "portals" "application" "secrets" -}}
{{- if not (get $config $section) }}{{ $_ := set $config $section dict }}{{ end -}}
{{- end -}}
{{- $_ := set $config.http "host" "0.0.0.0" -}}
{{- $_ := set $config.http "port" 8080 -}}
{{- $_ := set $config "admin" (dict "host" "0.0.0.0" "port" 9090 "portalMetrics" .Values.metrics.portals) -}}
{{- $_ := set $config.journal "directory" "/var/lib/b24bridge/journal" -}}
{{- $_ := set $config.portals "file" (ternary "/etc/b24bridge/portals/portals.yaml" "" (not (empty (include "bridge.portalsSecret" .)))) -}}
{{- $_ := set $config.portals "registry" (eq (include "bridge.keepsRegistry" .) "true") -}}
{{- $made := include "bridge.kafkaProperties" . | fromYaml -}}
{{- $_ := set $config.kafka "properties" (merge $made ($config.kafka.properties | default dict)) -}}
{{- if include "bridge.usesOAuth" . -}}
{{- $_ := set $config.kafka.oauth "clientSecret" (dict "file" "/etc/b24bridge/secrets/kafka-oauth/client-secret") -}}
{{- end -}}
{{- if include "bridge.isApplication" . -}}
{{- $files := "/etc/b24bridge/secrets/application" -}}
{{- $key := printf "%s/sealing-key-%s" $files .Values.application.sealingKeyId -}}
{{- $_ := set $config.application "clientSecret" (dict "file" (print $files "/client-secret")) -}}
{{- $_ := set $config "secrets" (dict "keyId" .Values.application.sealingKeyId "key" (dict "file" $key)) -}}
{{- $previous := list -}}
{{- range .Values.application.previousSealingKeys -}}
{{- $previous = append $previous (dict "keyId" .keyId "key" (dict "file" (printf "%s/sealing-key-%s" $files .keyId))) -}}
{{- end -}}
{{- with $previous }}{{ $_ := set $config.secrets "previousKeys" . }}{{ end -}}
{{- end -}}
{{- /* What is empty says nothing. */ -}}
{{- range $name, $value := $config -}}
{{- if and (kindIs "map" $value) (empty $value) }}{{ $_ := unset $config $name }}{{ end -}}
{{- end -}}
{{- range $name := list "properties" "oauth" -}}
{{- if not (get $config.kafka $name) }}{{ $_ := unset $config.kafka $name }}{{ end -}}
{{- end -}}
{{- toYaml $config -}}
{{- end }}
