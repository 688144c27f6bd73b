{{- define "proxy.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- define "proxy.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 52 | trimSuffix "-" -}}
{{- else if contains .Chart.Name .Release.Name -}}
{{- .Release.Name | trunc 52 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name .Chart.Name | trunc 52 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "proxy.selectorLabels" -}}
app.kubernetes.io/name: {{ include "proxy.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "proxy.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{ include "proxy.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end -}}

{{- /* The configuration file: what the chart needs, and over it what the values say. */ -}}
{{- define "proxy.config" -}}
{{- $replicas := ternary .Values.autoscaling.maxReplicas .Values.replicas .Values.autoscaling.enabled | int -}}
{{- $own := dict "replicas" (max $replicas 1) "listen" (dict "host" "0.0.0.0" "port" 8080) "admin" (dict "host" "0.0.0.0" "port" 9090) "shutdown" (dict "delay_seconds" 5 "drain_seconds" 30) -}}
{{- toYaml (mergeOverwrite $own (deepCopy .Values.config)) -}}
{{- end -}}

{{- define "proxy.image" -}}
{{- with .Values.image -}}
{{- if .digest -}}{{ .repository }}@{{ .digest }}{{- else -}}{{ .repository }}:{{ default $.Chart.AppVersion .tag }}{{- end -}}
{{- end -}}
{{- end -}}

{{- define "proxy.isReplicated" -}}
{{- if or .Values.autoscaling.enabled (gt (int .Values.replicas) 1) -}}true{{- end -}}
{{- end -}}

{{- /* What would start, and then lose sign-ins or MCP sessions. */ -}}
{{- define "proxy.check" -}}
{{- $config := include "proxy.config" . | fromYaml -}}
{{- if not (and $config.public_url $config.servers) -}}
{{- fail "config.public_url and config.servers are missing: the address that clients use, and the MCP servers behind the proxy." -}}
{{- end -}}
{{- if has (toString $config.listen.host) (list "127.0.0.1" "::1" "localhost") -}}
{{- fail "config.listen.host is loopback, where nothing reaches a pod but itself. Leave it out, or write 0.0.0.0." -}}
{{- end -}}
{{- if eq (toString $config.listen.port) (toString $config.admin.port) -}}
{{- fail "config.listen.port and config.admin.port are the same. The chart takes 8080 and 9090 where they are not said." -}}
{{- end -}}
{{- if and .Values.autoscaling.enabled (gt (int .Values.autoscaling.minReplicas) (int .Values.autoscaling.maxReplicas)) -}}
{{- fail "autoscaling.minReplicas is more than autoscaling.maxReplicas." -}}
{{- end -}}
{{- $store := default dict (default (default dict $config.broker).store $config.store) -}}
{{- $keys := default (default dict $config.broker).encryption_keys $config.encryption_keys -}}
{{- if include "proxy.isReplicated" . -}}
{{- if and $config.identity_provider (ne (default "sqlite" $store.kind) "redis") -}}
{{- fail "config.store.kind has to be redis where several replicas sign users in: each would know only its own clients and users." -}}
{{- end -}}
{{- $names := list "OMAP_SESSION_KEY" "OMAP_ENCRYPTION_KEYS__0" -}}
{{- $given := or $config.session_key $keys -}}
{{- range .Values.env }}{{- if has .name $names }}{{- $given = true }}{{- end }}{{- end -}}
{{- range $name, $_ := .Values.secrets.values }}{{- if has $name $names }}{{- $given = true }}{{- end }}{{- end -}}
{{- if not (or $given .Values.secrets.existing) -}}
{{- fail "config.session_key is missing: with several replicas, MCP sessions are sealed by a key that all of them have. Write config.session_key { env: SESSION_KEY } and give that variable in a Secret, or set replicas to 1." -}}
{{- end -}}
{{- end -}}
{{- end -}}
