import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http'
import { text } from 'node:stream/consumers'
import { closeServer, listenOnLoopback } from '../../src/sandbox/listen.ts'

/** A request that a token endpoint got. */
export interface TokenRequest {
  readonly form: URLSearchParams
  readonly headers: IncomingHttpHeaders
}

/** How the token endpoint answers; what is no response is sent as JSON with 200. */
export type AnswerTokens = (request: TokenRequest, response: ServerResponse) => unknown

export interface TokenServer {
  readonly issuer: string
  readonly requests: readonly TokenRequest[]
  /** From now on. By default each request gets another token that is good for an hour. */
  answerWith(answer: AnswerTokens): void
  close(): Promise<void>
}

/** An authorization server with metadata and a token endpoint that answers as a test says. */
export async function startTokenServer(): Promise<TokenServer> {
  const requests: TokenRequest[] = []
  let answer: AnswerTokens = () => issueToken(`issued-${requests.length}`)
  const server = createServer(async (request, response) => {
    if (request.url === '/.well-known/oauth-authorization-server') {
      sendJson(response, 200, { issuer, token_endpoint: `${issuer}/token` })
      return
    }
    if (request.url !== '/token') {
      response.writeHead(404).end()
      return
    }
    const asked = { form: new URLSearchParams(await text(request)), headers: request.headers }
    requests.push(asked)
    const document = await answer(asked, response)
    if (document !== response && document !== undefined) sendJson(response, 200, document)
  })
  const issuer: string = `http://127.0.0.1:${await listenOnLoopback(server, 0)}`
  return {
    issuer,
    requests,
    answerWith: (next) => {
      answer = next
    },
    close: () => closeServer(server),
  }
}

export function issueToken(token: string, more: object = {}): object {
  const issued = 'urn:ietf:params:oauth:token-type:access_token'
  return { access_token: token, token_type: 'Bearer', issued_token_type: issued, expires_in: 3600, ...more }
}

export function refuseToken(response: ServerResponse, error: string, more: object = {}, status = 400): ServerResponse {
  return sendJson(response, status, { error, ...more })
}

function sendJson(response: ServerResponse, status: number, document: unknown): ServerResponse {
  return response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(document))
}
