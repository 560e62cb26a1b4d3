{{/* The API that the cluster's Strimzi serves: v1 from 0.49 on, and alone from 1.0 on. */}}
{{- define "bridge.strimziVersion" -}}
{{- if and (.Capabilities.APIVersions.Has "kafka.strimzi.io/v1beta2") (not (.Capabilities.APIVersions.Has "kafka.strimzi.io/v1")) -}}
kafka.strimzi.io/v1beta2
{{- else -}}
kafka.strimzi.io/v1
{{- end }}
{{- end }}

{{- define "bridge.eventTopic" -}}
{{- .Values.config.kafka.topic | default "bitrix24.{entity}" }}
{{- end }}
{{- define "bridge.deadLetterTopic" -}}
{{- .Values.config.kafka.deadLetterTopic | default "bitrix24.dead-letter" }}
{{- end }}
{{- define "bridge.registryTopic" -}}
{{- .Values.config.kafka.registryTopic | default "bitrix24.bridge.portals" }}
{{- end }}

{{/* Entities that have a topic, as a YAML list: those named, else those of the subscriptions. */}}
{{- define "bridge.entities" -}}
{{- $entities := .Values.kafka.strimzi.topics.entities }}
{{- $named := list }}
{{- if not $entities }}
{{- $subscriptions := .Values.config.subscriptions | default dict }}
{{- range prepend ($subscriptions.portals | default list) $subscriptions }}
{{- $entities = concat $entities (.online | default list) (.offline | default list) }}
{{- if .offline }}{{ $entities = append $entities "offline" }}{{ end }}
{{- end }}
{{- if not $entities }}
{{- fail "kafka.strimzi.topics.entities is empty, and so are config.subscriptions: name the entities whose events you take, as [crm.deal, task], or the topics in kafka.strimzi.topics.names" }}
{{- end }}
{{- range $entities }}
{{- /* As the bridge tells an event code from an entity (EventSelection). */}}
{{- if ternary (contains ".on." (lower .)) (hasPrefix "on" (lower .)) (contains "." .) }}
{{- fail (printf "kafka.strimzi.topics.entities is empty, and config.subscriptions has the event code %s, whose entity the chart does not know: name the entities of all your events in kafka.strimzi.topics.entities" .) }}
{{- end }}
{{- $named = append $named (lower .) }}
{{- end }}
{{- /* An application's own events come without being bound, and what the catalog does not know is of the entity other. */}}
{{- $entities = concat $named (list "app" "other") }}
{{- end }}
{{- $entities | uniq | sortAlpha | toYaml }}
{{- end }}

{{/* Names of the topics that events lead to, as a YAML list. */}}
{{- define "bridge.eventTopics" -}}
{{- $names := .Values.kafka.strimzi.topics.names }}
{{- if not $names }}
{{- $template := include "bridge.eventTopic" . }}
{{- $others := without (regexFindAll "[{][^}]*[}]" $template -1) "{entity}" }}
{{- if $others }}
{{- fail (printf "config.kafka.topic is %s, and the chart does not know what %s will stand for: name the topics in kafka.strimzi.topics.names" $template (first $others)) }}
{{- end }}
{{- if contains "{entity}" $template }}
{{- range fromYamlArray (include "bridge.entities" .) }}
{{- $names = append $names (replace "{entity}" . $template) }}
{{- end }}
{{- else }}
{{- $names = list $template }}
{{- end }}
{{- end }}
{{- range $names }}
{{- if or (not (regexMatch "^[A-Za-z0-9._-]{1,249}$" .)) (eq . ".") (eq . "..") }}
{{- fail (printf "kafka.strimzi: %s is no name that Kafka allows for a topic: letters, digits, '.', '_' and '-', at most 249" .) }}
{{- end }}
{{- end }}
{{- $names | uniq | toYaml }}
{{- end }}

{{/* Name of a topic's object: the topic's own where Kubernetes allows it, else what is like it and a digest. Called with a
list: the context and the topic. */}}
{{- define "bridge.topicObjectName" -}}
{{- $name := printf "%s-%s" (include "bridge.fullname" (index . 0)) (index . 1) }}
{{- if and (regexMatch "^[a-z0-9]([a-z0-9-]*[a-z0-9])?([.][a-z0-9]([a-z0-9-]*[a-z0-9])?)*$" $name) (le (len $name) 253) }}
{{- $name }}
{{- else }}
{{- printf "%s-%s" (regexReplaceAll "[^a-z0-9]+" (lower $name) "-" | trunc 200 | trimSuffix "-") (sha256sum (index . 1) | trunc 8) }}
{{- end }}
{{- end }}

{{/* Kafka's settings of a topic. YAML's large numbers become floating-point ones on their way through Helm. */}}
{{- define "bridge.topicConfig" -}}
{{- range $key, $value := . }}
{{- if and (kindIs "float64" $value) (eq (floor $value) $value) }}
{{ $key }}: {{ int64 $value }}
{{- else }}
{{ $key }}: {{ $value }}
{{- end }}
{{- end }}
{{- end }}

{{/* Name of the KafkaUser, and of the Secret that Strimzi writes beside it. */}}
{{- define "bridge.strimziUserName" -}}
{{- .Values.kafka.strimzi.user.name | default (include "bridge.fullname" .) }}
{{- end }}

{{/* Metadata of an object of Strimzi: Kafka's namespace and cluster. Called with a list: the context, the name, annotations. */}}
{{- define "bridge.strimziMetadata" -}}
{{- with index . 0 -}}
{{- $cluster := dict "strimzi.io/cluster" .Values.kafka.strimzi.cluster -}}
{{- include "bridge.metadata" (dict "context" . "name" (index $ 1) "namespace" .Values.kafka.strimzi.namespace "component" "kafka" "labels" $cluster "annotations" (index $ 2)) -}}
{{- end }}
{{- end }}
