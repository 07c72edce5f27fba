{{- define "threathub.name" -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- end }}

{{- define "threathub.labels" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{- define "threathub.selector" -}}
app.kubernetes.io/name: {{ .root.Chart.Name }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .part }}
{{- end }}

{{/* A pod of the hub. part: its component; command: words after `threathub`, or all words if bare; user: account at the store. */}}
{{- define "threathub.pod" -}}
metadata:
  labels:
    {{- include "threathub.selector" . | nindent 4 }}
  annotations:
    checksum/settings: {{ include (print .root.Template.BasePath "/settings.yaml") .root | sha256sum }}
spec:
  automountServiceAccountToken: false
  enableServiceLinks: false
  terminationGracePeriodSeconds: 30
  {{- with .root.Values.image.pullSecrets }}
  imagePullSecrets: {{ toYaml . | nindent 4 }}
  {{- end }}
  {{- with .root.Values.nodeSelector }}
  nodeSelector: {{ toYaml . | nindent 4 }}
  {{- end }}
  {{- with .root.Values.tolerations }}
  tolerations: {{ toYaml . | nindent 4 }}
  {{- end }}
  securityContext:
    runAsNonRoot: true
    runAsUser: 10001
    runAsGroup: 10001
    fsGroup: 10001
    seccompProfile: {type: RuntimeDefault}
  topologySpreadConstraints:
    - maxSkew: 1
      topologyKey: kubernetes.io/hostname
      whenUnsatisfiable: ScheduleAnyway
      labelSelector:
        matchLabels:
          {{- include "threathub.selector" . | nindent 10 }}
  containers:
    - name: {{ .part }}
      image: "{{ .root.Values.image.repository }}:{{ .root.Values.image.tag | default .root.Chart.AppVersion }}"
      imagePullPolicy: {{ .root.Values.image.pullPolicy }}
      {{- if .bare }}
      command: {{ toJson .command }}
      {{- else }}
      args: {{ toJson .command }}
      {{- end }}
      env:
        - {name: THREATHUB_CONFIG, value: /etc/threathub/threathub.toml}
        - {name: THREATHUB_SECRETS, value: /run/secrets/threathub}
        - {name: THREATHUB_WORKER, value: "false"}
        - {name: THREATHUB_STORE_USER, value: {{ .user | quote }}}
      securityContext:
        allowPrivilegeEscalation: false
        readOnlyRootFilesystem: true
        capabilities: {drop: [ALL]}
      {{- with .resources }}
      resources: {{ toYaml . | nindent 8 }}
      {{- end }}
      {{- if eq .part "web" }}
      ports:
        - {name: http, containerPort: 8080}
      startupProbe:
        httpGet: {path: /healthz, port: http}
        periodSeconds: 2
        failureThreshold: 30
      livenessProbe:
        httpGet: {path: /healthz, port: http}
        periodSeconds: 10
        timeoutSeconds: 3
      readinessProbe:
        httpGet: {path: /readyz, port: http}
        periodSeconds: 5
        timeoutSeconds: 3
      {{- end }}
      volumeMounts:
        - {name: settings, mountPath: /etc/threathub, readOnly: true}
        - {name: secrets, mountPath: /run/secrets/threathub, readOnly: true}
        {{- if .root.Values.store.caSecret }}
        - {name: authority, mountPath: /run/authority, readOnly: true}
        {{- end }}
        - {name: data, mountPath: /data}
        - {name: tmp, mountPath: /tmp}
  volumes:
    - name: settings
      configMap: {name: {{ include "threathub.name" .root }}}
    - name: secrets
      secret: {secretName: {{ .root.Values.secret }}, defaultMode: 0440}
    {{- if .root.Values.store.caSecret }}
    - name: authority
      secret:
        secretName: {{ .root.Values.store.caSecret }}
        items: [{key: {{ .root.Values.store.caKey }}, path: ca.crt}]
    {{- end }}
    # The warning lists' index and the counts of wrong guesses: both can be lost.
    - {name: data, emptyDir: {sizeLimit: 1Gi}}
    - {name: tmp, emptyDir: {sizeLimit: 512Mi}}
{{- end }}
