import { createServer as createHttpServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { createServer as createHttpsServer } from 'node:https'
import { text } from 'node:stream/consumers'
import { closeServer, listenOnLoopback } from '../../src/sandbox/listen.ts'
import { managementRoutes } from './asgardeo/management.ts'
import { createOAuth } from './asgardeo/oauth.ts'
import { registrationRoutes } from './asgardeo/registration.ts'
import {
  type Answer,
  type Application,
  type AsgardeoOptions,
  type Asked,
  createState,
  type Failure,
  type Question,
  type State,
  type Step,
} from './asgardeo/state.ts'

/** Asgardeo, or WSO2 Identity Server, as far as the proxy has to do with it: its shapes, its refusals, and real signed tokens. */
export interface Asgardeo {
  /** Where the servers of all organizations are: what `base_url` is for it. */
  readonly origin: string
  /** Address of the organization. */
  readonly base: string
  /** What it was asked, in this order. */
  readonly asked: readonly Asked[]
  readonly applications: ReadonlyMap<string, Application>
  /** Puts an application there by hand. */
  addApplication(application: Application): void
  removeApplication(id: string): void
  /** Has a step fail from now on. */
  fail(step: Step, failure: Failure): void
  /** Has everything work again. */
  heal(): void
  /** Ends every admin token that it gave out. */
  revokeAdminTokens(): void
  /** Ends the sessions of all users. */
  endSessions(): void
  /** Stops answering; the result has it answer again at the same address. */
  pause(): Promise<() => Promise<void>>
  close(): Promise<void>
}

type OAuth = Awaited<ReturnType<typeof createOAuth>>

export async function startAsgardeo(options: AsgardeoOptions): Promise<Asgardeo> {
  const state = createState(options)
  const oauth = await createOAuth(state)
  const listen = async (port: number): Promise<[Server, number]> => {
    const handler = (request: IncomingMessage, response: ServerResponse) => void serve(request, response, state, oauth)
    const server = options.tls ? createHttpsServer(options.tls, handler) : createHttpServer(handler)
    return [server as Server, await listenOnLoopback(server as Server, port)]
  }
  let [server, port] = await listen(0)
  const organization = 'organization' in options ? options.organization : 'acme'
  state.origin = `${options.tls ? 'https' : 'http'}://localhost:${port}`
  state.base = organization === undefined ? state.origin : `${state.origin}/t/${organization}`
  return {
    origin: state.origin,
    base: state.base,
    asked: state.asked,
    applications: state.applications,
    addApplication: (application) => void state.applications.set(application.id, application),
    removeApplication: (id) => void state.applications.delete(id),
    fail: (step, failure) => void state.failures.set(step, { ...failure }),
    heal: () => state.failures.clear(),
    revokeAdminTokens: () => state.adminTokens.clear(),
    endSessions: oauth.endSessions,
    async pause() {
      await closeServer(server)
      return async () => {
        ;[server] = await listen(port)
      }
    },
    close: () => closeServer(server),
  }
}

async function serve(request: IncomingMessage, response: ServerResponse, state: State, oauth: OAuth): Promise<void> {
  const url = new URL(request.url ?? '', state.origin)
  const prefix = state.base.slice(state.origin.length)
  const path = url.pathname.startsWith(prefix) ? url.pathname.slice(prefix.length) : ''
  const { method = '' } = request
  const question: Question = { method, url, path, headers: request.headers, body: await text(request) }
  const route = findRoute(question)
  const { authorization } = request.headers
  state.asked.push({ method, path, step: route?.step, authorization, body: question.body })
  const failure = route?.step === undefined ? undefined : takeFailure(state, route.step)
  const answer = failure !== undefined && failure.happens !== true ? undefined : await work(question, route, state, oauth)
  if (failure === undefined) send(response, answer ?? { status: 404 })
  else if (failure.status === 'cut') response.destroy()
  else {
    const { status, headers, body } = failure
    send(response, { status, body: typeof body === 'function' ? body(question.body) : body, ...(headers && { headers }) })
  }
}

interface Route {
  readonly step: Step
  readonly scope?: string
  readonly handler?: (state: State, question: Question) => Answer
}

function findRoute({ method, path, body }: Question): Route | undefined {
  for (const [verb, pattern, step, scope, handler] of [...managementRoutes, ...registrationRoutes]) {
    const isHere = verb === method && new RegExp(`^${pattern.replaceAll('.', '\\.').replace(':id', '[^/]+')}$`).test(path)
    if (isHere) return { step, scope, handler }
  }
  if (path === '/oauth2/token') return { step: body.includes('grant_type=client_credentials') ? 'token' : 'user-token' }
  return path === '/oauth2/token/.well-known/openid-configuration' ? { step: 'discovery' } : undefined
}

async function work(question: Question, route: Route | undefined, state: State, oauth: OAuth): Promise<Answer> {
  if (route?.handler !== undefined) return callManagement(question, route, state)
  if (question.url.pathname === '/authenticationendpoint/login.do') return oauth.login(question)
  if (question.url.pathname.startsWith('/.well-known/oauth-authorization-server'))
    return { status: 302, headers: { location: `${state.base}/oauth2/token/.well-known/openid-configuration` } }
  return (await oauth.routes.get(`${question.method} ${question.path}`)?.(question)) ?? { status: 404 }
}

/** Refusals of this kind have no body. */
function callManagement(question: Question, { scope = '', step, handler }: Route, state: State): Answer {
  if (step === 'dcr' && state.options.openRegistration === true) return handler?.(state, question) ?? { status: 404 }
  const token = String(question.headers.authorization).replace(/^Bearer /, '')
  const granted = state.adminTokens.get(token)
  if (granted === undefined) return { status: 401, headers: { 'www-authenticate': 'Bearer realm="asgardeo"' } }
  if (!granted.includes(scope)) return { status: 403 }
  return handler?.(state, question) ?? { status: 404 }
}

function takeFailure({ failures }: State, step: Step): Failure | undefined {
  const failure = failures.get(step)
  if (failure?.times === undefined) return failure
  failure.times -= 1
  if (failure.times <= 0) failures.delete(step)
  return failure
}

function send(response: ServerResponse, { status, headers, body }: Answer): void {
  const type = body === undefined ? {} : { 'content-type': 'application/json' }
  response.writeHead(status, { ...type, ...headers })
  response.end(typeof body === 'object' ? JSON.stringify(body) : body)
}
