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
{{- if .Values.autoscaling.enabled -}}
{{- $resources := default dict .Values.resources -}}
{{- if not (or (default dict $resources.requests).cpu (default dict $resources.limits).cpu) -}}
{{- fail "resources.requests.cpu is missing: autoscaling compares with it, and would never start a pod. Write it, also where a LimitRange of the namespace gives one, or set autoscaling.enabled to false." -}}
{{- end -}}
{{- end -}}
{{- $store := include "proxy.store" . | fromYaml -}}
{{- $keys := default (default dict $config.broker).encryption_keys $config.encryption_keys -}}
{{- if include "proxy.isReplicated" . -}}
{{- if and $config.identity_provider (ne $store.kind "redis") (not (include "proxy.hasStoreVariable" .)) -}}
{{- fail "config.store.kind has to be redis where several replicas sign users in: each would know only its own clients and users. Write it also where secrets.existing has OMAP_STORE__KIND, which cannot be read here." -}}
{{- end -}}
{{- $given := or $config.session_key $keys -}}
{{- range include "proxy.variables" . | fromYamlArray }}{{- if has . (list "OMAP_SESSION_KEY" "OMAP_ENCRYPTION_KEYS__0") }}{{- $given = true }}{{- end }}{{- end -}}
{{- if not (or $given .Values.secrets.existing) -}}
{{- fail "config.session_key is missing: with several replicas, MCP sessions are sealed by a key that all of them have. Write config.session_key { env: SESSION_KEY } and give that variable in a Secret, or set replicas to 1." -}}
{{- end -}}
{{- end -}}
{{- include "proxy.checkVariables" . -}}
{{- include "proxy.checkFiles" . -}}
{{- end -}}

{{- /* The names of the variables that the container gets, as far as they are known here. */ -}}
{{- define "proxy.variables" -}}
{{- $names := keys (default dict .Values.secrets.values) | sortAlpha -}}
{{- range .Values.env }}{{- $names = append $names .name }}{{- end -}}
{{- toYaml $names -}}
{{- end -}}

{{- /* Ports, probes and the time to stop are made of the configuration here: a variable that changes it there makes them wrong. */ -}}
{{- define "proxy.checkVariables" -}}
{{- range include "proxy.variables" . | fromYamlArray -}}
{{- if regexMatch "^OMAP_(LISTEN|SHUTDOWN|ADMIN)(__(PORT|HOST|TLS|DELAY_SECONDS|DRAIN_SECONDS)(__.*)?)?$" (upper .) -}}
{{- $block := regexFind "LISTEN|SHUTDOWN|ADMIN" (upper .) | lower -}}
{{- fail (printf "%s is among the variables. The chart makes ports, probes and the time to stop of the configuration: write config.%s instead." . $block) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- /* The store, as far as the values say it: nothing where it is in memory. */ -}}
{{- define "proxy.store" -}}
{{- $config := include "proxy.config" . | fromYaml -}}
{{- $written := default (default dict $config.broker).store $config.store -}}
{{- if or $written $config.identity_provider -}}
{{- toYaml (mergeOverwrite (dict "kind" "sqlite") (default dict $written)) -}}
{{- else -}}
{{- toYaml (dict "kind" "memory") -}}
{{- end -}}
{{- end -}}

{{- /* Whether one pod writes to a SQLite file. */ -}}
{{- define "proxy.hasFile" -}}
{{- if and (eq (include "proxy.store" . | fromYaml).kind "sqlite") (not (include "proxy.hasStoreVariable" .)) -}}true{{- end -}}
{{- end -}}

{{- /* Whether a variable says what the store is, which cannot be told then. */ -}}
{{- define "proxy.hasStoreVariable" -}}
{{- $isThere := false -}}
{{- range include "proxy.variables" . | fromYamlArray }}{{- if has (upper .) (list "OMAP_STORE" "OMAP_STORE__KIND" "OMAP_BROKER__STORE" "OMAP_BROKER__STORE__KIND") }}{{- $isThere = true }}{{- end }}{{- end -}}
{{- if $isThere -}}true{{- end -}}
{{- end -}}

{{- /* What is written to: the file system of the container is read-only, and so is the folder of the configuration. */ -}}
{{- define "proxy.checkFiles" -}}
{{- $config := include "proxy.config" . | fromYaml -}}
{{- $files := dict -}}
{{- with $config.audit -}}{{- with .file -}}{{- $_ := set $files "config.audit.file" . -}}{{- end -}}{{- end -}}
{{- if include "proxy.hasFile" . -}}
{{- $_ := set $files "config.store.path" (default "open-mcp-auth-proxy.db" (include "proxy.store" . | fromYaml).path) -}}
{{- end -}}
{{- $mounts := .Values.volumeMounts -}}
{{- range $key, $file := $files -}}
{{- $isWritable := false -}}
{{- range $mounts -}}
{{- if and (not .readOnly) (or (eq .mountPath $file) (hasPrefix (printf "%s/" (trimSuffix "/" .mountPath)) $file)) }}{{- $isWritable = true }}{{- end -}}
{{- end -}}
{{- if not $isWritable -}}
{{- $unseen := ternary " Where secrets.existing has OMAP_STORE__KIND, which cannot be read here, write config.store.kind as well." "" (and (eq $key "config.store.path") (ne (toString (default "" $.Values.secrets.existing)) "")) -}}
{{- fail (printf "%s is %s, where a pod cannot write. Add a volume to volumes and volumeMounts, and name a file on it.%s" $key $file $unseen) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- /* What may be meant, and surprises when a node is to be drained. */ -}}
{{- define "proxy.remark" -}}
{{- $most := toString .Values.podDisruptionBudget.maxUnavailable -}}
{{- if and .Values.podDisruptionBudget.enabled (include "proxy.isReplicated" .) (regexMatch "^0%?$" $most) -}}
No node with a pod of it can be drained: podDisruptionBudget.maxUnavailable is {{ $most }}.
{{- end -}}
{{- end -}}
