import { readMessage } from '../core/describe-cause.ts'
import { escapeControlCharacters } from './untrusted-text.ts'

/** Why there was no answer. */
export interface Failure {
  readonly reason: string
  /** `ENOTFOUND` and the like, where there is one. */
  readonly code: string | undefined
  readonly fix: string
}

/** What a probe has when there was no answer. */
export interface FailedProbe {
  readonly kind: 'failure'
  readonly failure: Failure
}

const NETWORK_FIXES: Readonly<Record<string, string>> = {
  ECONNREFUSED:
    'Nothing listens there: check host and port (or `socket`), and that the program is running. In a container, localhost is the container itself.',
  ENOENT: 'There is no such socket: check `socket`, and that the MCP server is running.',
  ENOTSOCK: 'That is not a socket: check `socket`.',
  EACCES: 'The proxy may not connect there: check the permissions of the socket.',
  ENOTFOUND: 'DNS does not know the name: correct the host name.',
  EAI_AGAIN: 'DNS does not answer: correct the host name, or check the network of this machine.',
  ETIMEDOUT: 'Check the address, and whether a firewall is in the way.',
  ECONNRESET: 'The connection was reset: check that the scheme (http or https) matches the port.',
  EHOSTUNREACH: 'This machine has no route to that address.',
  ENETUNREACH: 'This machine has no route to that address.',
  EGRESS_PROXY_UNREACHABLE:
    'Check the address of the egress proxy (`egress_proxy.url`, or HTTPS_PROXY and HTTP_PROXY), and that it runs.',
  EGRESS_PROXY_AUTHENTICATION:
    'Check user name and password of the egress proxy (`egress_proxy.username` and `password`, or those in HTTPS_PROXY). Only Basic authentication is supported.',
  EGRESS_PROXY_REFUSED:
    'Have the egress proxy permit CONNECT to this host and port, or list the host in `no_proxy` if it can be reached directly.',
  EGRESS_PROXY_INVALID: 'Check that an egress proxy answers there, and http or https in its URL.',
  EGRESS_DESTINATION_UNREACHABLE:
    'Check the address, and the log of the egress proxy. List the host in `no_proxy` if it is inside of your network.',
  EGRESS_NAME_REFUSED:
    'Make the host known to the name servers of this machine, or list it in `egress_proxy.resolves` to have the egress proxy resolve it.',
  UND_ERR_CONNECT_TIMEOUT: 'Check the address, and whether a firewall is in the way.',
}

/** Docker Desktop knows this name; on Linux, it has to be added to the container. */
const DOCKER_HOST = /ENOTFOUND host\.docker\.internal/
const FROM_A_CONTAINER =
  'Only containers know this name. On Linux, start the container with `--add-host host.docker.internal:host-gateway`; outside of a container, write localhost.'

const UNTRUSTED =
  'Use a certificate of a public authority, or trust its authority on this machine (`ca_file`, NODE_EXTRA_CA_CERTS).'

const TLS_FIXES: Readonly<Record<string, string>> = {
  CERT_HAS_EXPIRED: 'Renew the certificate.',
  CERT_NOT_YET_VALID: 'Correct the clock of this machine, or wait until the certificate is valid.',
  DEPTH_ZERO_SELF_SIGNED_CERT: UNTRUSTED,
  SELF_SIGNED_CERT_IN_CHAIN: UNTRUSTED,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'Serve the whole chain: the intermediate certificates are missing.',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: UNTRUSTED,
  ERR_TLS_CERT_ALTNAME_INVALID: 'Use a certificate for this host name, or the host name that the certificate is for.',
  ERR_SSL_WRONG_VERSION_NUMBER: 'The server does not speak TLS there: write http, or the port where https is served.',
}

/** @param error - of an outbound request */
export function describeFailure(error: unknown): FailedProbe {
  return { kind: 'failure', failure: explainFailure(error) }
}

/** What an error of an outbound request means, and what to do. Several addresses of a host fail for one reason mostly: the first counts. */
export function explainFailure(error: unknown): Failure {
  const first = error instanceof AggregateError ? (error.errors[0] as unknown) : error
  const cause = first instanceof Error && first.cause instanceof Error && !hasCode(first) ? first.cause : first
  const code = hasCode(cause) ? cause.code : undefined
  const text = cause instanceof Error ? readMessage(cause) : String(cause)
  return {
    // It goes into a sentence.
    reason: escapeControlCharacters(text).slice(0, 300).replace(/\.$/, ''),
    code,
    fix: DOCKER_HOST.test(text) ? FROM_A_CONTAINER : findFix(code, text),
  }
}

/** Whether a failure is one of TLS: a server answers, but can't be trusted. */
export function isTlsFailure({ code }: Failure): boolean {
  return code !== undefined && (code in TLS_FIXES || /^(?:ERR_TLS|ERR_SSL|CERT_)/.test(code))
}

function findFix(code: string | undefined, text: string): string {
  const known = NETWORK_FIXES[code ?? ''] ?? TLS_FIXES[code ?? '']
  if (known !== undefined) return known
  if (text.includes('redirects to')) return 'Write the address that it redirects to; no MCP client follows it.'
  if (text.includes('not JSON')) return 'Something else answers there, a web page for example: check the address.'
  if (text.includes('status 404')) return 'There is nothing at that address: check it letter by letter.'
  if (/status 5\d\d/.test(text)) return 'It is failing right now: check its own log.'
  if (text.includes('no complete answer'))
    return 'It takes too long: check that it is healthy, and that nothing on the way buffers the answer.'
  return 'Check the address, and which program answers there.'
}

function hasCode(error: unknown): error is Error & { readonly code: string } {
  return error instanceof Error && 'code' in error && typeof error.code === 'string'
}
