/** The certificates of a company's own authority. Without them, commands that download their program hang silently. */
const CERTIFICATE_NAMES = ['NODE_EXTRA_CA_CERTS', 'SSL_CERT_DIR', 'SSL_CERT_FILE']

/**
 * What a server inherits of our environment: the paths of programs, home and temporary files, locale and time zone, and trusted certificates.
 * Nothing else, since our environment holds the proxy's secrets.
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
 * @param named - from the configuration; takes precedence over what is inherited
 * @param own - our own environment
 */
export function createChildEnvironment(
  named: Readonly<Record<string, string>>,
  own: NodeJS.ProcessEnv = process.env,
): Record<string, string> {
  const environment: Record<string, string> = {}
  for (const name of INHERITED_NAMES) {
    const value = own[name]
    // A value of this form is a function, which some shells export, and run when they start.
    if (value !== undefined && !value.startsWith('()')) environment[name] = value
  }
  return { ...environment, ...named }
}
