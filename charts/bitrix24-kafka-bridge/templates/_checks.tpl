{{/* Values that contradict each other are refused here, in words that name the keys and the mend. What one key alone may hold
     says values.schema.json; what shows only while an object is made, as the names of topics, is refused there. */}}
{{- define "bridge.checks" -}}
{{- include "bridge.checkOwned" . -}}
{{- include "bridge.checkVariables" . -}}
{{- include "bridge.checkPortals" . -}}
{{- include "bridge.checkKafka" . -}}
{{- include "bridge.checkVolume" . -}}
{{- include "bridge.checkScale" . -}}
{{- include "bridge.checkGrace" . -}}
{{- include "bridge.checkMetadata" . -}}
{{- include "bridge.checkReach" . -}}
{{- include "bridge.checkStrimzi" . -}}
{{- end }}

{{- define "bridge.checkOwned" -}}
{{- $config := .Values.config -}}
{{- range $key, $instead := dict
  "http.host" "the pod listens on all of its addresses"
  "http.port" "the container's port is 8080, and the Service's is service.port"
  "admin" "the admin port is 9090, the Service's is adminService.port, and metrics.portals sets admin.portalMetrics"
  "kafka.oauth.clientSecret" "put it into a Secret, and name that in kafka.oauth.existingSecret"
  "journal.directory" "the journal lies on the volume, at /var/lib/b24bridge/journal"
  "portals" "use portals.static or portals.existingSecret, and portals.registry"
  "secrets" "use application.sealingKeyKey, application.sealingKeyId and application.previousSealingKeys"
  "application.clientSecret" "put it into a Secret, and name that in application.existingSecret"
  "replica" "each pod gives its name"
-}}
{{- $value := $config -}}
{{- range splitList "." $key }}{{ if kindIs "map" $value }}{{ $value = get $value . }}{{ else }}{{ $value = "" }}{{ end }}{{ end -}}
{{- if not (empty $value) }}{{ fail (printf "config.%s is set by the chart, so leave it out: %s." $key $instead) }}{{ end -}}
{{- end -}}
{{- end }}

{{- define "bridge.checkVariables" -}}
{{- range .Values.extraEnv -}}
{{- if hasPrefix "B24_" .name }}{{ fail (printf "extraEnv has %s, and variables that begin with B24_ would override config behind the chart's back: set the key in config, and have it take a variable of another name by {env: NAME} if need be." .name) }}{{ end -}}
{{- end -}}
{{- end }}

{{- define "bridge.checkPortals" -}}
{{- $isApplication := include "bridge.isApplication" . -}}
{{- if and .Values.portals.static .Values.portals.existingSecret -}}
{{- fail "portals.static and portals.existingSecret are both set, and the bridge reads one file: leave one of them empty." -}}
{{- end -}}
{{- if not (or (include "bridge.portalsSecret" .) $isApplication (include "bridge.keepsRegistry" .)) -}}
{{- fail "no portal could send anything: name portals in portals.static or portals.existingSecret, or set config.application (clientId, publicURL) and application.existingSecret, or portals.registry: true to add them by `b24bridge portals add`." -}}
{{- end -}}
{{- /* Faults for which the bridge refuses the file: running pods would go on with the old one, and none could start anew. */ -}}
{{- $members := list -}}
{{- range .Values.portals.static -}}
{{- if has .memberId $members }}{{ fail (printf "portals.static: portal %s stands twice, and the bridge refuses such a file: give it one entry with all its tokens." .memberId) }}{{ end -}}
{{- $members = append $members .memberId -}}
{{- $portal := . -}}
{{- range $key := list "applicationTokens" "webhookTokens" -}}
{{- if has "" (get $portal $key | default list) }}{{ fail (printf "portals.static: portal %s has an empty token in %s, and the bridge refuses such a file: give the token, or take the entry out." $portal.memberId $key) }}{{ end -}}
{{- end -}}
{{- if gt (len (concat (.applicationTokens | default list) (.webhookTokens | default list))) 16 }}{{ fail (printf "portals.static: portal %s has more than 16 tokens in applicationTokens and webhookTokens: remove old ones." .memberId) }}{{ end -}}
{{- if not (or .applicationTokens .webhookTokens) }}{{ fail (printf "portals.static: portal %s has neither applicationTokens nor webhookTokens, so nothing could be believed of it: give at least one token." .memberId) }}{{ end -}}
{{- end -}}
{{- if $isApplication -}}
{{- if not .Values.application.existingSecret -}}
{{- fail "config.application.clientId is set and application.existingSecret is empty: name the Secret with the application's secret and the sealing key." -}}
{{- end -}}
{{- if not .Values.config.application.publicURL -}}
{{- fail "config.application.clientId is set and config.application.publicURL is empty: give the https address under which Bitrix24 reaches the bridge." -}}
{{- end -}}
{{- $url := .Values.config.application.publicURL -}}
{{- $stoodIn := .Values.config.application.standIn -}}
{{- if and (kindIs "string" $url) (not (hasPrefix "https://" $url)) (not (and $stoodIn (hasPrefix "http://" $url))) -}}
{{- fail (printf "config.application.publicURL is %s, and Bitrix24 delivers to https only: give an address that begins with https:// (http:// is for trials, with config.application.standIn)." $url) -}}
{{- end -}}
{{- $ids := list .Values.application.sealingKeyId -}}
{{- range .Values.application.previousSealingKeys -}}
{{- if has .keyId $ids }}{{ fail (printf "application.sealingKeyId and application.previousSealingKeys name two keys %s: give each key an id of its own." .keyId) }}{{ end -}}
{{- $ids = append $ids .keyId -}}
{{- end -}}
{{- else -}}
{{- if .Values.application.existingSecret -}}
{{- fail "application.existingSecret is set and config.application.clientId is empty: give the application's client_id, or leave the Secret out." -}}
{{- end -}}
{{- range $section := list "subscriptions" "offline" -}}
{{- if get $.Values.config $section }}{{ fail (printf "config.%s is of use to an application only: set config.application.clientId and application.existingSecret, or leave config.%s empty." $section $section) }}{{ end -}}
{{- end -}}
{{- end -}}
{{- end }}

{{- define "bridge.checkKafka" -}}
{{- $tls := .Values.kafka.tls -}}
{{- $sasl := .Values.kafka.sasl -}}
{{- $usesOAuth := include "bridge.usesOAuth" . -}}
{{- if not .Values.config.kafka.bootstrapServers -}}
{{- fail "config.kafka.bootstrapServers is empty: give host:port of some brokers, comma-separated." -}}
{{- end -}}
{{- if not $tls.enabled -}}
{{- range $part := list "ca" "client" -}}
{{- if (get $tls $part).existingSecret }}{{ fail (printf "kafka.tls.%s.existingSecret is set and kafka.tls.enabled is false: set it to true, or leave the Secret out." $part) }}{{ end -}}
{{- end -}}
{{- end -}}
{{- if $sasl.mechanism -}}
{{- if not $sasl.existingSecret }}{{ fail (printf "kafka.sasl.mechanism is %s and kafka.sasl.existingSecret is empty: name the Secret with the password." $sasl.mechanism) }}{{ end -}}
{{- if and $sasl.username $sasl.usernameKey }}{{ fail "kafka.sasl.username and kafka.sasl.usernameKey are both set: leave one of them empty." }}{{ end -}}
{{- if not (or $sasl.username $sasl.usernameKey) }}{{ fail (printf "kafka.sasl.mechanism is %s, and neither kafka.sasl.username nor kafka.sasl.usernameKey says whose password it is: set one of them." $sasl.mechanism) }}{{ end -}}
{{- $user := include "bridge.strimziUserName" . -}}
{{- if and .Values.kafka.strimzi.enabled .Values.kafka.strimzi.user.enabled $sasl.username (ne $sasl.username $user) -}}
{{- fail (printf "kafka.sasl.username is %s and the KafkaUser that kafka.strimzi.user makes is %s, so Kafka would refuse the login, or the rights would be another's: set kafka.strimzi.user.name to %s, or kafka.sasl.username to %s, or kafka.strimzi.user.enabled to false." $sasl.username $user $sasl.username $user) -}}
{{- end -}}
{{- if $usesOAuth }}{{ fail (printf "kafka.sasl.mechanism is %s and config.kafka.oauth is set, which logs in by OAUTHBEARER: leave one of them out." $sasl.mechanism) }}{{ end -}}
{{- else -}}
{{- range $name := list "existingSecret" "username" "usernameKey" -}}
{{- if get $sasl $name }}{{ fail (printf "kafka.sasl.%s is set and kafka.sasl.mechanism is empty: give PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512." $name) }}{{ end -}}
{{- end -}}
{{- end -}}
{{- if $usesOAuth -}}
{{- range $name := list "tokenEndpoint" "clientId" -}}
{{- if not (get $.Values.config.kafka.oauth $name) }}{{ fail (printf "config.kafka.oauth is set and config.kafka.oauth.%s is empty: give it, or leave config.kafka.oauth out." $name) }}{{ end -}}
{{- end -}}
{{- if not .Values.kafka.oauth.existingSecret }}{{ fail "config.kafka.oauth is set and kafka.oauth.existingSecret is empty: name the Secret with the client's secret." }}{{ end -}}
{{- else if .Values.kafka.oauth.existingSecret -}}
{{- fail "kafka.oauth.existingSecret is set and config.kafka.oauth is empty: give tokenEndpoint and clientId there, or leave the Secret out." -}}
{{- end -}}
{{- $made := include "bridge.kafkaProperties" . | fromYaml -}}
{{- range $name, $_ := .Values.config.kafka.properties -}}
{{- if or (hasKey $made $name) (and (eq $name "sasl.mechanisms") (or $sasl.mechanism $usesOAuth)) (and (eq $name "sasl.mechanism") $usesOAuth) -}}
{{- fail (printf "config.kafka.properties.%s is set by kafka.tls, kafka.sasl or kafka.oauth already: leave it out, or leave those empty." $name) -}}
{{- end -}}
{{- end -}}
{{- end }}

{{- define "bridge.checkVolume" -}}
{{- if not (or .Values.persistence.enabled .Values.persistence.acceptLoss) -}}
{{- fail "persistence.enabled is false, so whatever was answered 200 and not yet delivered is lost with its pod: set persistence.acceptLoss to true if that is meant, or persistence.enabled to true." -}}
{{- end -}}
{{- $needed := include "bridge.neededBytes" . | int64 -}}
{{- if lt (include "bridge.bytes" .Values.persistence.size | int64) $needed -}}
{{- fail (printf "persistence.size %s does not hold config.journal: maxBytes, the parked records (parkedMaxBytes, or a quarter of maxBytes), 64 MiB of events that wait for a token and some room make %dMi. Raise persistence.size, or lower config.journal.maxBytes." .Values.persistence.size (add1 (div $needed 1048576))) -}}
{{- end -}}
{{- end }}

{{- define "bridge.checkScale" -}}
{{- $auto := .Values.autoscaling -}}
{{- if and $auto.enabled (gt (int $auto.minReplicas) (int $auto.maxReplicas)) -}}
{{- fail (printf "autoscaling.minReplicas %d is more than autoscaling.maxReplicas %d: raise the one or lower the other." (int $auto.minReplicas) (int $auto.maxReplicas)) -}}
{{- end -}}
{{- if and .Values.adopt.ordinals (not .Values.persistence.enabled) -}}
{{- fail "adopt.ordinals names volumes and persistence.enabled is false, so there are none: leave adopt.ordinals empty." -}}
{{- end -}}
{{- $count := include "bridge.leastReplicas" . | int -}}
{{- range .Values.adopt.ordinals -}}
{{- if lt (int .) $count -}}
{{- fail (printf "adopt.ordinals has %d, and a pod of that ordinal has the volume and delivers what waits there, as %s is %d: leave it out, or scale down first." (int .) (ternary "autoscaling.minReplicas" "replicaCount" $auto.enabled) $count) -}}
{{- end -}}
{{- end -}}
{{- end }}

{{- define "bridge.checkGrace" -}}
{{- $request := .Values.config.http.requestTimeout | default "10s" -}}
{{- if lt (int64 .Values.terminationMarginSeconds) (include "bridge.seconds" $request | int64) -}}
{{- fail (printf "terminationMarginSeconds %d is less than config.http.requestTimeout %s, so requests could be cut off when a pod ends: raise terminationMarginSeconds, or lower config.http.requestTimeout." (int64 .Values.terminationMarginSeconds) $request) -}}
{{- end -}}
{{- $least := include "bridge.leastGraceSeconds" . | int64 -}}
{{- with .Values.terminationGracePeriodSeconds -}}
{{- if lt (int64 .) $least -}}
{{- fail (printf "terminationGracePeriodSeconds %d is less than %d: preStopSeconds %d + config.shutdownDelay %s + config.shutdownTimeout %s + terminationMarginSeconds %d. Raise it, leave it null, or lower one of those." (int64 .) $least (int64 $.Values.preStopSeconds) ($.Values.config.shutdownDelay | default "0s") ($.Values.config.shutdownTimeout | default "25s") (int64 $.Values.terminationMarginSeconds)) -}}
{{- end -}}
{{- end -}}
{{- end }}

{{- define "bridge.checkReach" -}}
{{- if and .Values.ingress.enabled (not .Values.ingress.hosts) -}}
{{- fail "ingress.hosts is empty: name the hosts under which Bitrix24 reaches the bridge, as [{host: bridge.example}]" -}}
{{- end -}}
{{- if and .Values.httpRoute.enabled (not .Values.httpRoute.parentRefs) -}}
{{- fail "httpRoute.parentRefs is empty: name the Gateway that listens for Bitrix24, as [{name: public, namespace: gateways}]" -}}
{{- end -}}
{{- $policy := .Values.networkPolicy -}}
{{- if $policy.enabled -}}
{{- if not $policy.ingressFrom -}}
{{- fail "networkPolicy.ingressFrom is empty, so nobody could send events and each one would be lost: name the ingress controller's pods, as [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: ingress}}}]" -}}
{{- end -}}
{{- if not $policy.kafkaTo -}}
{{- fail "networkPolicy.kafkaTo is empty, so no event could leave the journal: name the brokers, as [{podSelector: {matchLabels: {strimzi.io/cluster: events}}}] or [{ipBlock: {cidr: 10.1.0.0/16}}]" -}}
{{- end -}}
{{- if and .Values.metrics.serviceMonitor.enabled (not $policy.monitoringFrom) -}}
{{- fail "networkPolicy.monitoringFrom is empty although metrics.serviceMonitor.enabled is true, so that Prometheus could not reach the admin port: name its pods, as [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: monitoring}}}]" -}}
{{- end -}}
{{- if and .Values.config.kafka.oauth (not (include "bridge.asksBitrix24" .)) (not $policy.extraEgress) -}}
{{- fail "networkPolicy.extraEgress is empty although config.kafka.oauth is set, so that no token for Kafka could be fetched: name the token server, as [{to: [{ipBlock: {cidr: 10.2.0.0/16}}], ports: [{port: 443, protocol: TCP}]}]" -}}
{{- end -}}
{{- end -}}
{{- end }}

{{- define "bridge.checkStrimzi" -}}
{{- $strimzi := .Values.kafka.strimzi -}}
{{- if and $strimzi.enabled (or $strimzi.topics.enabled $strimzi.user.enabled) (not $strimzi.cluster) -}}
{{- fail "kafka.strimzi.cluster is empty: give the name of the Kafka object." -}}
{{- end -}}
{{- if and $strimzi.enabled $strimzi.topics.enabled -}}
{{- range $key := ternary (list "config" "deadLetterConfig" "registryConfig") (list "config" "deadLetterConfig") (eq (include "bridge.keepsRegistry" .) "true") -}}
{{- $least := get (get $strimzi.topics $key) "min.insync.replicas" | default 1 | int -}}
{{- if gt $least (int $strimzi.topics.replicas) -}}
{{- fail (printf "kafka.strimzi.topics.replicas %d is less than min.insync.replicas %d of kafka.strimzi.topics.%s, so Kafka would refuse every record: raise the one or lower the other." (int $strimzi.topics.replicas) $least $key) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end }}

{{/* Here and not in the schema, as Helm names another key than the one at fault where a key's name is refused. */}}
{{- define "bridge.checkMetadata" -}}
{{- $metrics := .Values.metrics -}}
{{- $labels := dict "podLabels" .Values.podLabels "commonLabels" .Values.commonLabels "metrics.serviceMonitor.labels" $metrics.serviceMonitor.labels "metrics.prometheusRule.labels" $metrics.prometheusRule.labels "metrics.dashboard.labels" $metrics.dashboard.labels -}}
{{- range $section, $given := $labels -}}
{{- range $name, $_ := $given -}}
{{- if regexMatch "^(app[.]kubernetes[.]io|helm[.]sh|strimzi[.]io|b24bridge)/" $name -}}
{{- fail (printf "%s has %s, which the chart sets itself: leave it out, or take a name of your own." $section $name) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- range $section, $given := dict "podAnnotations" .Values.podAnnotations "commonAnnotations" .Values.commonAnnotations -}}
{{- range $name, $_ := $given -}}
{{- if regexMatch "^(checksum/configuration$|kubectl[.]kubernetes[.]io/default-container$|b24bridge/|helm[.]sh/)" $name -}}
{{- fail (printf "%s has %s, which the chart sets itself: leave it out, or take a name of your own." $section $name) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end }}
