import type { PeerKind, PeerSetting } from './peer.ts'

/** HAProxy with one thread: the signature by `jwt_verify`, which remembers nothing, then issuer, audience and expiry. */
export const haproxy: PeerKind = {
  name: 'HAProxy',
  program: 'haproxy',
  verifies: true,
  files: (setting) => ({ 'haproxy.cfg': formatConfig(setting), 'issuer.pem': setting.publicKey }),
  format: (folder) => ['-db', '-f', `${folder}/haproxy.cfg`],
}

const formatConfig = ({ folder, port, upstreamPort, issuer, audience }: PeerSetting): string => `
global
  nbthread 1
  maxconn 1000
defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
frontend clients
  bind 127.0.0.1:${port}
  http-request set-var(txn.alg) http_auth_bearer,jwt_header_query('$.alg')
  http-request set-var(txn.issuer) http_auth_bearer,jwt_payload_query('$.iss')
  http-request set-var(txn.audience) http_auth_bearer,jwt_payload_query('$.aud')
  http-request set-var(txn.expiry) http_auth_bearer,jwt_payload_query('$.exp','int')
  http-request set-var(txn.now) date()
  http-request deny deny_status 401 unless { var(txn.alg) -m str RS256 }
  http-request deny deny_status 401 unless { http_auth_bearer,jwt_verify(txn.alg,"${folder}/issuer.pem") -m int 1 }
  http-request deny deny_status 401 unless { var(txn.issuer) -m str ${issuer} }
  http-request deny deny_status 401 unless { var(txn.audience) -m str ${audience} }
  http-request deny deny_status 401 if { var(txn.expiry),sub(txn.now) -m int lt 0 }
  http-request del-header authorization
  default_backend server
backend server
  http-reuse always
  server upstream 127.0.0.1:${upstreamPort}
`
