/**
 * How variables begin by which a loader, a runtime, a library, a shell or a tool is told what to run, trust or reach. No list is whole: programs
 * have variables of their own.
 */
const BEGINNINGS = [
  ...['_', 'LD_', 'DYLD_', 'LC_', 'GLIBC_', 'MALLOC_', 'GCONV_', 'RES_OPTIONS', 'BASH', 'SHELL', 'XDG_', 'OMAP_'],
  ...['NODE_', 'NPM_', 'BUN_', 'DENO_', 'UV_', 'YARN_', 'COREPACK_', 'PYTHON', 'PIP_', 'CONDA_', 'VIRTUAL_ENV', 'FASTMCP_'],
  ...['JAVA_', 'JDK_', 'JVM_', 'CLASSPATH', 'MAVEN_', 'GRADLE_', 'RUBY', 'GEM_', 'BUNDLE_', 'PERL', 'PHP', 'LUA_'],
  ...['GODEBUG', 'GOFLAGS', 'GOPATH', 'GOPROXY', 'GOROOT', 'GOTOOLCHAIN', 'CGO_', 'RUST', 'CARGO_', 'ERL_'],
  ...['DOTNET_', 'CORECLR_', 'COREHOST_', 'COMPLUS_', 'ASPNETCORE_', 'MONO_', 'NUGET_'],
  ...['GIT_', 'SSH_', 'GPG_', 'DOCKER_', 'KUBECONFIG', 'AWS_', 'AZURE_', 'GOOGLE_', 'CLOUDSDK_', 'OTEL_', 'KRB5'],
  ...['SSL_', 'OPENSSL_', 'CURL_', 'REQUESTS_', 'PGHOST', 'PGSERVICE', 'PGSSL', 'NIX_'],
]

/** The same, whole. */
const WHOLE: ReadonlySet<string> = new Set([
  ...['PATH', 'PATHEXT', 'CDPATH', 'FPATH', 'ENV', 'IFS', 'PS4', 'ZDOTDIR', 'EDITOR', 'VISUAL', 'PAGER', 'BROWSER', 'TERMINFO'],
  ...['HOME', 'USER', 'LOGNAME', 'USERNAME', 'USERPROFILE', 'HOMEDRIVE', 'HOMEPATH', 'APPDATA', 'LOCALAPPDATA', 'PWD'],
  ...['SYSTEMROOT', 'SYSTEMDRIVE', 'COMSPEC', 'WINDIR', 'PROGRAMFILES', 'PROCESSOR_ARCHITECTURE', 'TERM', 'DISPLAY'],
  ...['TMP', 'TEMP', 'TMPDIR', 'TZ', 'TZDIR', 'LANG', 'LANGUAGE', 'LOCPATH', 'NLSPATH', 'HOSTALIASES', 'LOCALDOMAIN'],
  ...['HTTP_PROXY', 'HTTPS_PROXY', 'FTP_PROXY', 'ALL_PROXY', 'NO_PROXY', 'PORT', 'HOST', 'DEBUG'],
])

/** Whether a variable is no place for what is said of a caller. Upper and lower case count as one: `http_proxy`. */
export function isReservedVariable(name: string): boolean {
  const upper = name.toUpperCase()
  return WHOLE.has(upper) || BEGINNINGS.some((beginning) => upper.startsWith(beginning))
}
