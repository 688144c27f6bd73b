/** Where the certificates of a company's own authority are: without them, what downloads its program hangs and says nothing. */
const CERTIFICATE_NAMES = ['NODE_EXTRA_CA_CERTS', 'SSL_CERT_DIR', 'SSL_CERT_FILE']

/**
 * What a child gets of our own environment: where programs, homes and temporary files are, how to write times and letters, and whose
 * certificates to trust. Nothing else: our environment holds the proxy's secrets.
 */
const INHERITED_NAMES =
  process.platform === 'win32'
    ? [
        ...CERTIFICATE_NAMES,
        'APPDATA',
        'HOMEDRIVE',
        'HOMEPATH',
        'LOCALAPPDATA',
        'PATH',
        'PATHEXT',
        'PROCESSOR_ARCHITECTURE',
        'PROGRAMFILES',
        'SYSTEMDRIVE',
        'SYSTEMROOT',
        'TEMP',
        'TMP',
        'USERNAME',
        'USERPROFILE',
      ]
    : [...CERTIFICATE_NAMES, 'HOME', 'LANG', 'LC_ALL', 'LC_CTYPE', 'LOGNAME', 'PATH', 'SHELL', 'TERM', 'TMPDIR', 'TZ', 'USER']

/**
 * The environment of a child process.
 *
 * @param named - what the configuration names; replaces what is inherited under the same name
 * @param own - our own environment
 */
export function createChildEnvironment(
  named: Readonly<Record<string, string>>,
  own: NodeJS.ProcessEnv = process.env,
): Record<string, string> {
  const environment: Record<string, string> = {}
  for (const name of INHERITED_NAMES) {
    const value = own[name]
    // A value of this form is a function that some shells export, and run when they start.
    if (value !== undefined && !value.startsWith('()')) environment[name] = value
  }
  return { ...environment, ...named }
}
