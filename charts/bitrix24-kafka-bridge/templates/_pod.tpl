{{/* What all pods of the release have in common. */}}
{{- define "bridge.podBasics" -}}
serviceAccountName: {{ include "bridge.serviceAccountName" . }}
automountServiceAccountToken: false
# The bridge would take the variables of Services for its own.
enableServiceLinks: false
{{- with .Values.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . | quote }}
  {{- end }}
{{- end }}
securityContext:
  {{- toYaml .Values.podSecurityContext | nindent 2 }}
{{- with .Values.priorityClassName }}
priorityClassName: {{ . | quote }}
{{- end }}
{{- with .Values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* What all containers of the release have in common. */}}
{{- define "bridge.containerBasics" -}}
image: {{ include "bridge.image" . | quote }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
securityContext:
  {{- toYaml .Values.securityContext | nindent 2 }}
{{- with .Values.resources }}
resources:
  {{- toYaml . | nindent 2 }}
{{- end }}
# What stopped it, in `kubectl describe pod`.
terminationMessagePolicy: FallbackToLogsOnError
env:
  - name: B24_REPLICA
    valueFrom:
      fieldRef:
        fieldPath: metadata.name
  {{- with .Values.extraEnv }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}

{{/* Items of a list in brackets. */}}
{{- define "bridge.logOptions" -}}
--log-format, {{ .Values.log.format }}, --log-level, {{ .Values.log.level }}
{{- end }}

{{- define "bridge.mounts" -}}
- name: configuration
  mountPath: /etc/b24bridge
  readOnly: true
# Commands that read the registry unpack it there.
- name: tmp
  mountPath: /tmp
{{- with .Values.extraVolumeMounts }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* One volume for configuration, Secrets and portals, so that each changes as a whole, in a pod that runs too. */}}
{{- define "bridge.volumes" -}}
- name: configuration
  projected:
    defaultMode: 0440
    sources:
      - configMap:
          name: {{ include "bridge.fullname" . }}
          items:
            - key: b24bridge.yaml
              path: b24bridge.yaml
      {{- with include "bridge.secretSources" . }}
      {{- trim . | nindent 6 }}
      {{- end }}
- name: tmp
  emptyDir:
    sizeLimit: 64Mi
{{- with .Values.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* The pod that takes events, of the StatefulSet and of the Deployment. */}}
{{- define "bridge.podTemplate" -}}
metadata:
  labels:
    {{- include "bridge.selectorLabels" . | nindent 4 }}
    {{- with merge dict .Values.podLabels .Values.commonLabels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
    {{- if not .Values.persistence.enabled }}
    b24bridge/durable: "false"
    {{- end }}
  annotations:
    kubectl.kubernetes.io/default-container: b24bridge
    # The configuration is read at the start. Portals are not in it: a bridge that runs reads those again by itself.
    checksum/configuration: {{ include "bridge.configuration" . | sha256sum }}
    {{- with merge dict .Values.podAnnotations .Values.commonAnnotations }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  {{- include "bridge.podBasics" . | nindent 2 }}
  terminationGracePeriodSeconds: {{ .Values.terminationGracePeriodSeconds | default (include "bridge.leastGraceSeconds" .) | int64 }}
  {{- with .Values.affinity }}
  affinity:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- if kindIs "slice" .Values.topologySpreadConstraints }}
  {{- with .Values.topologySpreadConstraints }}
  topologySpreadConstraints:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- else }}
  # A wish, not a condition: while one of two nodes is drained, both replicas had better run on the other.
  topologySpreadConstraints:
    {{- range list "kubernetes.io/hostname" "topology.kubernetes.io/zone" }}
    - topologyKey: {{ . }}
      maxSkew: 1
      whenUnsatisfiable: ScheduleAnyway
      nodeTaintsPolicy: Honor
      labelSelector:
        matchLabels:
          {{- include "bridge.selectorLabels" $ | nindent 10 }}
      {{- if not $.Values.persistence.enabled }}
      matchLabelKeys: [pod-template-hash]
      {{- end }}
    {{- end }}
  {{- end }}
  containers:
    - name: b24bridge
      {{- include "bridge.containerBasics" . | nindent 6 }}
      args: [serve, --config, /etc/b24bridge/b24bridge.yaml, {{ include "bridge.logOptions" . }}]
      ports:
        - name: events
          containerPort: 8080
        - name: admin
          containerPort: 9090
      {{- with .Values.preStopSeconds }}
      lifecycle:
        preStop:
          sleep:
            seconds: {{ . }}
      {{- end }}
      # It listens within a second of its start, whatever the journal holds.
      startupProbe:
        httpGet: {path: /livez, port: admin}
        periodSeconds: 1
        failureThreshold: 60
      # Slow disks and a busy node are no reason to restart it.
      livenessProbe:
        httpGet: {path: /livez, port: admin}
        periodSeconds: 10
        timeoutSeconds: 5
        failureThreshold: 6
      # Two misses in four seconds: well within config.shutdownDelay, also when it is restarted without its pod being deleted.
      readinessProbe:
        httpGet: {path: /readyz, port: admin}
        periodSeconds: 2
        timeoutSeconds: 2
        failureThreshold: 2
      volumeMounts:
        - name: data
          mountPath: /var/lib/b24bridge
        {{- include "bridge.mounts" . | nindent 8 }}
  volumes:
    {{- include "bridge.volumes" . | nindent 4 }}
    {{- if not .Values.persistence.enabled }}
    - name: data
      emptyDir:
        sizeLimit: {{ .Values.persistence.size | quote }}
    {{- end }}
{{- end }}
