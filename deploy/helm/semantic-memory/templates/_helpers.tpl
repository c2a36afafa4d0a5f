{{- define "semantic-memory.name" -}}
{{- if contains .Chart.Name .Release.Name -}}{{ .Release.Name | trunc 50 | trimSuffix "-" }}
{{- else -}}{{ printf "%s-%s" .Release.Name .Chart.Name | trunc 50 | trimSuffix "-" }}
{{- end -}}
{{- end -}}

{{- define "semantic-memory.selector" -}}
app.kubernetes.io/name: semantic-memory
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: service
{{- end -}}

{{- define "semantic-memory.valkeySelector" -}}
app.kubernetes.io/name: semantic-memory
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: valkey
{{- end -}}

{{- define "semantic-memory.labels" -}}
app.kubernetes.io/part-of: semantic-memory
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end -}}

{{- define "semantic-memory.image" -}}
{{- with .Values.image -}}
{{ .repository }}{{ if .digest }}@{{ .digest }}{{ else }}:{{ .tag | default $.Chart.AppVersion }}{{ end }}
{{- end -}}
{{- end -}}

{{/* A value as text. Helm reads numbers as floating-point numbers, which Go prints as 1.34217728e+08. */}}
{{- define "semantic-memory.text" -}}
{{- if and (kindIs "float64" .) (eq . (floor .)) }}{{ int64 . }}{{ else }}{{ toString . }}{{ end -}}
{{- end -}}

{{/* The metrics port of each worker, by port name. */}}
{{- define "semantic-memory.metricsPorts" -}}
{{- range $worker := until (int .Values.workers) }}
metrics{{ if $worker }}-{{ $worker }}{{ end }}: {{ add 9464 $worker }}
{{- end -}}
{{- end -}}

{{/* The level "restricted" of the Pod Security Standards, and a read-only root. */}}
{{- define "semantic-memory.podSecurity" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
seccompProfile: { type: RuntimeDefault }
{{- end -}}
{{- define "semantic-memory.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: { drop: [ALL] }
{{- end -}}

{{/* Fail here for missing values: otherwise the service would fail in a restart loop. */}}
{{- define "semantic-memory.check" -}}
{{- with .Values -}}
{{- $sources := list (ne .valkey.existingSecret "") (ne .valkey.url "") .valkey.trial.enabled | compact | len -}}
{{- if ne $sources 1 }}{{ fail "Valkey's address is missing or set twice: set one of valkey.existingSecret, valkey.url, valkey.trial.enabled=true" }}{{ end -}}
{{- if and .valkey.url (regexMatch "//[^/]*:[^/]*@" .valkey.url) -}}
{{ fail "valkey.url has a password: put the URL into a Secret and name it in valkey.existingSecret" }}
{{- end -}}
{{- if and .access.jwt.jwks .access.jwt.jwksSecret }}{{ fail "access.jwt.jwks and .jwksSecret exclude each other: set one of them" }}{{ end -}}
{{- $jwt := list (or .access.jwt.jwks .access.jwt.jwksSecret) .access.jwt.issuer .access.jwt.audience | compact | len -}}
{{- if not (has $jwt (list 0 3)) }}{{ fail "access.jwt.jwks or .jwksSecret, .issuer and .audience go together: set all three" }}{{ end -}}
{{- range $variable, $value := dict "MEMORY_LISTEN" "service.port" "MEMORY_HEALTH_LISTEN" "no value" "MEMORY_METRICS_LISTEN" "metrics.enabled" "MEMORY_WORKERS" "workers" -}}
{{- $given := has $variable (keys $.Values.settings) -}}
{{- range $.Values.extraEnv }}{{ if eq .name $variable }}{{ $given = true }}{{ end }}{{ end -}}
{{- if $given }}{{ fail (printf "the chart sets %s to match its ports: remove it, and set %s" $variable $value) }}{{ end -}}
{{- end -}}
{{- if and .tls.clientCaSecret (not .tls.secret) }}{{ fail "tls.clientCaSecret needs tls.secret" }}{{ end -}}
{{- if not .access.insecure -}}
{{- if not .tls.secret }}{{ fail "calls would be in plaintext: set tls.secret, or access.insecure=true on a private network" }}{{ end -}}
{{- if not (or .access.apiKeysSecret .tls.clientCaSecret (eq $jwt 3)) -}}
{{ fail "calls would need no credentials: set access.apiKeysSecret, access.jwt or tls.clientCaSecret, or access.insecure=true on a private network" }}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* The mounted Secrets, by their folder under /etc/semantic-memory. Mounted without subPath, so that rotation reaches the pod. */}}
{{- define "semantic-memory.secrets" -}}
{{- $all := dict "tls" .Values.tls.secret "client-ca" .Values.tls.clientCaSecret -}}
{{- $all = merge $all (dict "keys" .Values.access.apiKeysSecret "valkey-ca" .Values.valkey.caSecret "jwks" .Values.access.jwt.jwksSecret) -}}
{{- range $folder, $secret := $all }}{{ if $secret }}
{{ $folder }}: {{ $secret }}
{{- end }}{{ end -}}
{{- end -}}

{{/* The option of a command that sends a key, if callers need one. */}}
{{- define "semantic-memory.token" -}}
{{- if or .Values.access.apiKeysSecret .Values.access.jwt.issuer }}--token "$OPERATOR_KEY" {{ end -}}
{{- end -}}
