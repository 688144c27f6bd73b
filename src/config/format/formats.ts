import { isIP } from 'node:net'
import { createAddressList, isNetwork } from '../../core/address-list.ts'
import { isScopeToken } from '../../core/scope-token.ts'
import { hideBehindName, type Mistake, quote } from '../problem/problem.ts'
import { describeNoUrl, findCommandMistake } from './no-url.ts'
import { AMBIGUOUS_ADDRESS, isAmbiguousAddress } from './written-address.ts'

/** Finds what is wrong with a text; undefined when nothing is. */
export type MistakeFinder = (text: string) => Mistake | undefined

const loopbackAddresses = createAddressList(['127.0.0.0/8', '::1'])
const privateAddresses = createAddressList(['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', 'fc00::/7'])

/** Whether a host can only be one of a private network: by its address, or by a name that the internet does not have. */
export function isPrivate(host: string): boolean {
  const bare = host.replace(/^\[|\]$/g, '').toLowerCase()
  if (isIP(bare) !== 0) return privateAddresses.has(bare)
  return !bare.includes('.') || /\.(?:internal|local|lan|home\.arpa|svc)$/.test(bare)
}

/** Whether a host name or address (IPv6 with or without brackets) is this machine. */
export function isLoopback(host: string): boolean {
  const bare = host.replace(/^\[|\]$/g, '').toLowerCase()
  if (isIP(bare) === 0) return bare === 'localhost' || bare.endsWith('.localhost')
  return loopbackAddresses.has(bare)
}

/** An absolute `http` or `https` URL that every parser reads the same way, without credentials and fragment. */
export function findUrlMistake(text: string): Mistake | undefined {
  // WHATWG's parser repairs backslashes, blanks and missing slashes; other parsers go elsewhere with them.
  if (!/^https?:\/\/[^\s\\/?#\p{C}][^\s\\\p{C}]*$/iu.test(text) || !URL.canParse(text)) {
    return describeNoUrl(text)
  }
  const url = new URL(text)
  if (url.username !== '' || url.password !== '') {
    return {
      reason: 'holds a user name or password',
      fix: 'Take it out of the URL. A credential for an upstream goes into `headers`, as `{ env: NAME }` or `{ file: path }`.',
    }
  }
  if (text.includes('#')) return { reason: 'has a fragment', fix: 'Leave out everything from the # on.' }
  return isAmbiguousAddress(text) ? AMBIGUOUS_ADDRESS : undefined
}

/** A Unix socket where a URL belongs: as Docker, as libraries and as nginx write it, and its mere path. */
const SOCKET_URL = /^(?:(?:https?\+)?unix:|https?:\/\/unix:\/|\.{0,2}\/.*\.sock(?:et)?$)/i

/** The URL of an MCP server. */
export function findUpstreamUrlMistake(text: string): Mistake | undefined {
  if (!SOCKET_URL.test(text)) return findCommandMistake(text) ?? findUrlMistake(text)
  return {
    reason: 'is the address of a Unix socket, not an http or https URL',
    fix: 'Write the two apart: `upstream: { url: http://localhost/mcp, socket: /run/mcp.sock }`, with the path of the MCP endpoint in `url`.',
  }
}

/** The path of a Unix socket. */
export function findSocketMistake(text: string): Mistake | undefined {
  const fix = 'Write the path of the socket file, for example /run/mcp.sock.'
  if (text === '' || text.endsWith('/') || /\p{C}/u.test(text)) return { reason: 'is not the path of a socket', fix }
  if (/^(?:[a-z][a-z\d+]+:\/|unix:)/i.test(text)) return { reason: 'is a URL', fix }
  return undefined
}

/** Scheme, host and port, and nothing else. */
export function findPublicUrlMistake(text: string): Mistake | undefined {
  const mistake = findUrlMistake(text)
  if (mistake) return mistake
  const url = new URL(text)
  if (text.includes('?')) return { reason: 'has a query', fix: `Write ${url.origin}.` }
  if (url.pathname !== '/') {
    return {
      reason: `has a path (${quote(url.pathname)})`,
      fix: `Write ${url.origin} here and put the path into \`path\` of the server.`,
    }
  }
  return undefined
}

/** An issuer identifier (RFC 8414 §2): https, or http on this machine; no query, no fragment. */
export function findIssuerMistake(text: string): Mistake | undefined {
  const mistake = findUrlMistake(text)
  if (mistake) return mistake
  const { protocol, hostname } = new URL(text)
  if (protocol === 'http:' && !isLoopback(hostname)) {
    return {
      reason:
        'uses http for a host that is not this machine: an attacker on the network could sign tokens, and clients refuse it',
      fix: 'Use https. A certificate of your own authority is trusted through `ca_file` of the issuer.',
    }
  }
  // Behind the issuer, names of users have it as their separator.
  if (text.includes('|')) return { reason: 'has a |, which no URL has (RFC 3986 §2)', fix: 'Write it as %7C, if it is one.' }
  if (text.includes('?')) {
    return {
      reason: 'has a query',
      fix: 'An issuer identifier has none. Copy `issuer` from the metadata of the authorization server.',
    }
  }
  return undefined
}

/** A URL where keys or introspection answers come from: https, or http that leaves neither this machine nor its private network. */
export function findKeyUrlMistake(text: string): Mistake | undefined {
  const mistake = findUrlMistake(text)
  if (mistake) return mistake
  const { protocol, hostname } = new URL(text)
  if (protocol === 'https:' || isLoopback(hostname) || isPrivate(hostname)) return undefined
  return {
    reason: 'uses http for a host on the internet: an attacker on the network could replace the keys',
    fix: 'Use https. A certificate of your own authority is trusted through `ca_file` of the issuer.',
  }
}

/** Where a Redis or Valkey server is, with the number of a database or without: no credentials, which are secrets. */
export function findRedisUrlMistake(text: string, example = 'redis://127.0.0.1:6379'): Mistake | undefined {
  // A URL that cannot be used may hold a password: only what is wrong with it is told.
  const reason = findRedisFault(text)
  if (reason === undefined) return undefined
  const more = reason.includes('credentials') ? '; user name and password have keys of their own, `username` and `password`' : ''
  return { reason, fix: `Write it like ${example}${more}.` }
}

function findRedisFault(text: string): string | undefined {
  if (!/^rediss?:\/\//.test(text)) return 'does not begin with redis:// or rediss://'
  if (text.includes('@')) return 'holds credentials'
  if (/[?#]/.test(text)) return 'has a query or fragment'
  if (/\s/.test(text)) return 'has blanks in it'
  const [, authority = '', path = ''] = /^rediss?:\/\/([^/]*)(.*)$/.exec(text) ?? []
  if (authority === '' || authority.startsWith(':')) return 'names no host'
  if (/:\d*$/.test(authority.replace(/^\[.*\]/, '')) && !URL.canParse(text)) return 'has a port that is none (0 to 65535)'
  if (!URL.canParse(text) || new URL(text).hostname === '') return 'has a host that is none'
  if (isAmbiguousAddress(text)) return AMBIGUOUS_ADDRESS.reason
  return /^(\/\d{0,5})?$/.test(path) ? undefined : 'has a path that is no number of a database'
}

/** One of several Sentinels. They listen on a port of their own. */
export const findSentinelMistake = (text: string): Mistake | undefined =>
  findRedisNodeMistake(text, 'redis://sentinel-1.example.com:26379')

/** One of several Redis servers, which have no databases to choose from. */
export function findRedisNodeMistake(text: string, example?: string): Mistake | undefined {
  const mistake = findRedisUrlMistake(text, example)
  if (mistake) return mistake
  if (/^\/?$/.test(new URL(text).pathname)) return undefined
  return { reason: 'names a database', fix: 'Leave it out: `prefix` keeps what is stored apart.' }
}

/** Paths that the proxy answers itself. */
const RESERVED = ['/healthz', '/readyz', '/.well-known']

/** A public path that is read the same way by everyone. A final slash is a matter of its own. */
function findPathMistake(text: string): Mistake | undefined {
  if (!text.startsWith('/')) return { reason: `${quote(text)} does not begin with a slash`, fix: 'Write it like /mcp.' }
  if (/[?#]/.test(text)) return { reason: `${quote(text)} has a query or fragment`, fix: 'Write the path alone.' }
  if (text.includes('//')) return { reason: `${quote(text)} has an empty segment (//)`, fix: 'Write every slash once.' }
  if (/\/\.{1,2}(?:\/|$)/.test(text)) {
    return { reason: `${quote(text)} has a dot segment`, fix: 'Write the resulting path, without . and .. segments.' }
  }
  if (!/^[\w~!$&'()*+,;=:@./-]+$/.test(text)) {
    return {
      reason: `${quote(text)} holds characters that can be written in more than one way (such as % escapes)`,
      fix: 'Use letters, digits and - . _ ~ only.',
    }
  }
  if (RESERVED.some((path) => text === path || text.startsWith(`${path}/`))) {
    return { reason: `${quote(text)} is answered by the proxy itself`, fix: `Choose a path outside ${RESERVED.join(', ')}.` }
  }
  return undefined
}

/** The path of an MCP endpoint: its URL is a resource identifier, which ends without a slash. */
export function findEndpointPathMistake(text: string): Mistake | undefined {
  const mistake = findPathMistake(text)
  if (mistake) return mistake
  if (text === '/') return { reason: 'is the root', fix: 'Give the server a path of its own, for example /mcp.' }
  if (text.endsWith('/')) {
    return { reason: `${quote(text)} ends with a slash`, fix: `Write ${quote(text.slice(0, -1))}.` }
  }
  return undefined
}

/** The path of a `messages` endpoint, which clients learn from us: a final slash is possible. */
export function findMessagesPathMistake(text: string): Mistake | undefined {
  if (text === '/') return findEndpointPathMistake(text)
  return findPathMistake(text)
}

/** One scope (`scope-token` of RFC 6749 §3.3). */
export function findScopeMistake(text: string): Mistake | undefined {
  if (isScopeToken(text)) return undefined
  return {
    reason: `${quote(text)} is not one scope`,
    fix: 'Write each scope as an item of its own, without blanks, quotes and backslashes.',
  }
}

/** A `Host` value, or `*`. */
export function findHostMistake(text: string): Mistake | undefined {
  if (text === '*') return undefined
  const name = /^(?<host>\[[\da-f:.]+\]|[a-z\d](?:[a-z\d._-]*[a-z\d])?)(?::(?<port>\d{1,5}))?$/i.exec(text)?.groups
  const validAddress = !name?.host?.startsWith('[') || isIP(name.host.slice(1, -1)) === 6
  if (name && validAddress && Number(name.port ?? 0) <= 65_535) return undefined
  return {
    reason: `${quote(text)} is not a host`,
    fix: 'Write host or host:port, without scheme and path: mcp.example.com:8443.',
  }
}

/** An address to listen on. */
export function findListenHostMistake(text: string): Mistake | undefined {
  if (isIP(text) !== 0 || /^[a-z\d](?:[a-z\d.-]*[a-z\d])?$/i.test(text)) return undefined
  return {
    reason: `${quote(text)} is not an address or host name`,
    fix: 'Write it without port and brackets: 127.0.0.1, ::1, 0.0.0.0 or a host name.',
  }
}

/** An address or a CIDR block. */
export function findNetworkMistake(text: string): Mistake | undefined {
  if (isNetwork(text)) return undefined
  return { reason: `${quote(text)} is not an address or CIDR block`, fix: 'Write it like 10.0.0.0/8 or ::1.' }
}

/** A browser origin (RFC 6454), or `*`. */
export function findOriginMistake(text: string): Mistake | undefined {
  if (text === '*') return undefined
  if (!/^[a-z][a-z\d+.-]*:\/\/[^\s/?#\\@]+$/i.test(text) || !URL.canParse(text)) {
    return { reason: `${quote(text)} is not an origin`, fix: 'Write scheme://host or scheme://host:port, without a final slash.' }
  }
  return undefined
}

/** A header name (RFC 9110 §5.1). */
export function findHeaderNameMistake(text: string): Mistake | undefined {
  if (/^[\w!#$%&'*+.^`|~-]+$/.test(text) && text !== '*') return undefined
  return { reason: `${quote(hideBehindName(text))} is not a header name`, fix: 'Write each header name as an item of its own.' }
}

/** A name for logs and metadata. */
export function findNameMistake(text: string): Mistake | undefined {
  if (/^[\w.-]+$/.test(text)) return undefined
  return { reason: `${quote(text)} is not a name`, fix: 'Use letters, digits and - . _ only.' }
}

/** An HTTP method. They are case-sensitive (RFC 9110 §9.1). */
export function findHttpMethodMistake(text: string): Mistake | undefined {
  if (/^[A-Z]+$/.test(text)) return undefined
  return { reason: `${quote(text)} is not an HTTP method`, fix: 'Write it in capitals, for example POST.' }
}

/** The name of an environment variable. It is not repeated: someone may have written the secret itself here. */
export function findVariableMistake(text: string): Mistake | undefined {
  // Variables that say keys themselves (OMAP_…) may end in the name of a header.
  if (/^[a-z_]\w*$/i.test(text) || /^OMAP_[!-<>-~]+$/.test(text)) return undefined
  return {
    reason: 'is not the name of an environment variable',
    fix: 'Write the name of the variable that holds the secret, not the secret.',
  }
}

/** The name of a file with a secret. It is not repeated, either. */
export function findSecretFileMistake(text: string): Mistake | undefined {
  if (text !== '' && text.length <= 4096 && !/\p{Cc}/u.test(text)) return undefined
  return { reason: 'is not the name of a file', fix: 'Write the name of the file that holds the secret, not the secret.' }
}

/** A text with something in it. */
export function findBlankMistake(text: string): Mistake | undefined {
  if (text.trim() !== '') return undefined
  return { reason: 'is empty', fix: 'Write a value, or leave the key out.' }
}

const NAME_CHARACTERS = 80

/** The name of a company, which stands on pages: a line of text that shows what it is. */
export function findCompanyMistake(text: string): Mistake | undefined {
  if ([...text].length > NAME_CHARACTERS)
    return { reason: `is longer than ${NAME_CHARACTERS} characters`, fix: 'Write a shorter name.' }
  if (!/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Co}\p{Cs}]/u.test(text)) return findBlankMistake(text)
  return { reason: 'holds characters that are invisible or turn the direction of writing', fix: 'Write plain text in one line.' }
}
