{{/* Seconds of a duration as the bridge reads it (1h30m, 1.5s, 500ms), rounded up. */}}
{{- define "bridge.seconds" -}}
{{- $units := dict "d" 86400.0 "h" 3600.0 "m" 60.0 "s" 1.0 "ms" 0.001 "us" 0.000001 "ns" 0.000000001 -}}
{{- $seconds := 0.0 -}}
{{- range regexFindAll "[0-9._]+[a-z]+" . -1 -}}
{{- $number := regexFind "^[0-9._]+" . | replace "_" "" | float64 -}}
{{- $seconds = addf $seconds (mulf $number (get $units (regexFind "[a-z]+$" .))) -}}
{{- end -}}
{{- ceil $seconds | int64 -}}
{{- end }}

{{/* Bytes of a size as the bridge reads it (64MiB, 10MB, a number), or as Kubernetes does (12Gi, 100G). */}}
{{- define "bridge.bytes" -}}
{{- if kindIs "string" . -}}
{{- $binary := dict "k" 1024.0 "m" 1048576.0 "g" 1073741824.0 "t" 1099511627776.0 "p" 1125899906842624.0 -}}
{{- $decimal := dict "k" 1e3 "m" 1e6 "g" 1e9 "t" 1e12 "p" 1e15 -}}
{{- $number := regexFind "^[0-9._]+" . | replace "_" "" | float64 -}}
{{- $unit := regexFind "[a-z]*$" (lower .) | trimSuffix "b" -}}
{{- $units := ternary $binary $decimal (hasSuffix "i" $unit) -}}
{{- if $unit -}}
{{- mulf $number (get $units (trimSuffix "i" $unit)) | int64 -}}
{{- else -}}
{{- int64 $number -}}
{{- end -}}
{{- else -}}
{{- int64 . -}}
{{- end -}}
{{- end }}

{{/* Bytes that a volume must have: the journal, the parked records (as the bridge computes their quota, but for less than 32 MiB,
     which only a tiny journal has), 64 MiB of events that wait for a token; and one segment and a twentieth more, as confirmed
     segments are deleted whole and a file system takes some for itself. */}}
{{- define "bridge.neededBytes" -}}
{{- $journal := .Values.config.journal | default dict -}}
{{- $main := include "bridge.bytes" ($journal.maxBytes | default "8GiB") | int64 -}}
{{- $parked := include "bridge.bytes" ($journal.parkedMaxBytes | default 0) | int64 -}}
{{- if not $parked }}{{ $parked = max (div $main 4) 33554432 }}{{ end -}}
{{- $segment := include "bridge.bytes" ($journal.segmentBytes | default "64MiB") | int64 -}}
{{- add (mulf (add $main $parked 67108864) 1.05 | int64) (min $segment $main) -}}
{{- end }}

{{/* Seconds from the decision to end a pod to its last breath. */}}
{{- define "bridge.leastGraceSeconds" -}}
{{- $delay := include "bridge.seconds" (.Values.config.shutdownDelay | default "0s") | int64 -}}
{{- $timeout := include "bridge.seconds" (.Values.config.shutdownTimeout | default "25s") | int64 -}}
{{- add (int64 .Values.preStopSeconds) $delay $timeout (int64 .Values.terminationMarginSeconds) -}}
{{- end }}
