/** Longest redirect URI, in characters. */
const MAX_CHARACTERS = 2000
/** Most redirect URIs of a client. */
const MAX_URIS = 50

/**
 * Schemes that browsers, operating systems or servers act on themselves. An application that takes answers under a scheme of its own
 * (RFC 8252 §7.1) uses none of them.
 */
const FOREIGN_SCHEMES = new Set(
  'about blob chrome chrome-extension content cid data dav facetime feed file filesystem ftp ftps geo git gopher imap intent irc jar javascript ldap ldaps mailto market mid moz-extension ms-settings news nfs nntp pop resource rtsp search-ms sftp sip sips sms smb ssh svn tel telnet urn vbscript view-source ws wss wyciwyg xmpp'.split(
    ' ',
  ),
)

/** Schemes of well-known MCP clients that are no reversed domain name. */
const CLIENT_SCHEMES = new Set(
  'cherrystudio claude claude-desktop cline codeium cursor goose jan jetbrains lmstudio msty opencode raycast theia trae vscode vscode-insiders vscodium void warp windsurf windsurf-next zed'.split(
    ' ',
  ),
)

/** First labels of schemes that look like a reversed domain name and are the operating system’s own. */
const SYSTEM_LABELS = new Set(['apple', 'microsoft', 'ms', 'windows'])

const LOOPBACK_HOSTS = new Set(['localhost', '127.0.0.1', '[::1]'])

/**
 * The redirect URIs of a client that can be used; others are left out, since clients register everything that they might need
 * somewhere.
 *
 * @param uris - `redirect_uris` as registered
 * @param isUsable - which can be used
 */
export function filterRedirectUris(uris: readonly unknown[], isUsable = isUsableRedirectUri): string[] {
  return uris.filter((uri): uri is string => typeof uri === 'string' && isUsable(uri)).slice(0, MAX_URIS)
}

/**
 * Whether an unverified client may have answers sent there: what {@link isUsableRedirectUri} says, and of the schemes those
 * that name an application. Any other may start a program of the operating system with what a link says (`ms-msdt:`, `search:`).
 */
export function isUsableForStrangers(uri: string): boolean {
  if (!isUsableRedirectUri(uri)) return false
  const scheme = uri.slice(0, uri.indexOf(':')).toLowerCase()
  return scheme === 'https' || scheme === 'http' || CLIENT_SCHEMES.has(scheme) || isReversedDomain(scheme)
}

/** RFC 8252 §7.1: a scheme of an application's own is a domain name in reverse order, `com.example.app`. */
function isReversedDomain(scheme: string): boolean {
  const [top = '', domain, ...rest] = scheme.split('.')
  if (!/^[a-z]{2,63}$/.test(top) || SYSTEM_LABELS.has(top) || domain === undefined) return false
  return [domain, ...rest].every((label) => /^[a-z0-9](?:[a-z0-9-]*[a-z0-9])?$/.test(label)) && !SYSTEM_LABELS.has(domain)
}

/** Whether answers may be sent there at all: https, http on the user's own computer, or a scheme of an application's own. */
export function isUsableRedirectUri(uri: string): boolean {
  // Only characters that URIs consist of (RFC 3986 §2): parsers repair or drop others, each in its own way.
  if (uri.length > MAX_CHARACTERS || !/^[a-z][a-z0-9+.-]*:[\w\-.~:/?[\]@!$&'()*+,;=%]+$/i.test(uri)) return false
  const target = URL.parse(uri)
  if (target === null || target.username !== '' || target.password !== '' || uri.includes('*')) return false
  if (target.protocol === 'https:') return isWebUri(uri, target) && !LOOPBACK_HOSTS.has(target.hostname)
  if (target.protocol === 'http:') return isWebUri(uri, target) && LOOPBACK_HOSTS.has(target.hostname)
  return !FOREIGN_SCHEMES.has(target.protocol.slice(0, -1))
}

/**
 * Whether the host is written as the URL parser reads it: `https:/host`, `https:host` and `http://0x7f.1` are not. And whether it is one:
 * parsers let pass what no name can hold, and a `;` or `,` would mean something in the headers of our pages.
 */
function isWebUri(uri: string, target: URL): boolean {
  if (!/^(?:[\w.-]+|\[[\da-f:.]+\])$/i.test(target.hostname)) return false
  return uri.toLowerCase().startsWith(`${target.protocol}//${target.host}`) && !/\/\.{1,2}(?:\/|$)/.test(uri.split('?')[0] ?? '')
}

/** Whether all of a client's redirect URIs lead to web pages. Everything else is an application on the user's own computer. */
export function isWebClient(uris: readonly string[]): boolean {
  return uris.length > 0 && uris.every((uri) => uri.toLowerCase().startsWith('https:'))
}
