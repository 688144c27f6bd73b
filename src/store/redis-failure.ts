import { describeError } from '../core/describe-cause.ts'
import type { RedisNode } from '../core/plan/store-plan.ts'
import { endSentence } from '../core/sentence.ts'

/** A failure at a server, for the operator. */
export interface RedisFailure extends Error {
  /** Whether it stays until someone changes the configuration, or Redis. */
  readonly isLasting: boolean
}

interface Advice {
  /** Found in the code or in the message of an error. */
  readonly sign: RegExp
  /** Setting that it is about, below the place where credentials are. */
  readonly key: string
  readonly fix: string
}

const TRUST = 'Name the authority that issued the certificate.'

const ADVICE: readonly Advice[] = [
  { sign: /^WRONGPASS|invalid password/, key: 'password', fix: 'Give the password of this user, and check `username`.' },
  { sign: /^NOAUTH/, key: 'password', fix: 'The server asks for a password. Give it, and `username` for an ACL user.' },
  {
    sign: /^NOPERM|ACL failure in script|user executing the script can't/,
    key: 'username',
    fix: 'This ACL user may not run what is needed. docs/redis.md has the rule for it.',
  },
  { sign: /No such master/, key: 'master', fix: 'The Sentinels monitor no master of this name. `SENTINEL MASTERS` lists them.' },
  {
    sign: /cluster support disabled/,
    key: 'cluster',
    fix: 'The server is no node of a cluster. Write its address into `store.url`.',
  },
  {
    sign: /^(MOVED|CROSSSLOT)|non local key/,
    key: 'url',
    fix: 'The server is a node of a cluster. List its nodes under `store.cluster.urls`.',
  },
  { sign: /unknown command '?SENTINEL/i, key: 'urls', fix: 'This is no Sentinel: they listen on port 26379 by default.' },
  { sign: /CERT_HAS_EXPIRED/, key: 'tls', fix: 'The certificate of the server has expired. Renew it.' },
  { sign: /SELF_SIGNED|UNABLE_TO_(GET_ISSUER|VERIFY)|CERT_UNTRUSTED/, key: 'tls.ca_file', fix: TRUST },
  { sign: /ALTNAME_INVALID/, key: 'tls.server_name', fix: 'Write a name that the certificate has.' },
  { sign: /WRONG_VERSION_NUMBER|PACKET_LENGTH_TOO_LONG/, key: 'url', fix: 'This port does not speak TLS. Write redis://.' },
  {
    sign: /CERTIFICATE_REQUIRED|UNKNOWN_CA|BAD_CERTIFICATE|HANDSHAKE_FAILURE/i,
    key: 'tls.cert_file',
    fix: 'The server asks for a client certificate that it trusts. Give it, with `key_file`.',
  },
]

/** Settings that are found only once, not beside each `password`. */
const TOP_KEYS = /^(tls|cluster)/

/**
 * Says where something failed, why, and what to do about it.
 *
 * @param node - where it is known
 * @param at - place in the configuration of the server's credentials: `store` or `store.sentinel`
 */
export function explainFailure(error: unknown, node: RedisNode | undefined, at: string): RedisFailure {
  const cause = error instanceof Error ? error : new Error(String(error))
  const code = 'code' in cause ? String(cause.code) : ''
  const reason = describeError(cause)
  const advice = ADVICE.find(({ sign }) => sign.test(code) || sign.test(reason))
  const where = advice === undefined ? '' : `${TOP_KEYS.test(advice.key) ? 'store' : at}.${advice.key}: `
  const server = node === undefined ? '' : `${formatNode(node)}: `
  const detail = `${where}${server}${advice === undefined ? reason : `${endSentence(reason)} ${advice.fix}`}`
  return fail(detail, advice !== undefined, cause)
}

export function fail(message: string, isLasting: boolean, cause?: Error): RedisFailure {
  return Object.assign(new Error(message, { cause }), { isLasting })
}

/** Whether it stays until someone changes the configuration, or Redis. */
export function isLasting(error: unknown): boolean {
  return error instanceof Error && 'isLasting' in error && error.isLasting === true
}

export function formatNode({ host, port }: RedisNode): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}
