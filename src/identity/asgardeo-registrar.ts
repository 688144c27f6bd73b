import { randomBytes } from 'node:crypto'
import type { AsgardeoApi } from './asgardeo-api.ts'
import {
  addCallbackUrl,
  authorizeApi,
  createApplication,
  deleteApplication,
  findApiResource,
  findApplication,
  type InboundProtocol,
  type ListedApplication,
  OUR_DESCRIPTION,
  readInboundProtocol,
  regenerateSecret,
} from './asgardeo-applications.ts'
import { AsgardeoError, isAsgardeoError } from './asgardeo-error.ts'
import { registerClient, unregisterClient } from './asgardeo-registrations.ts'

/** An application at Asgardeo that users are signed in through. */
export interface AsgardeoClient {
  readonly clientId: string
  readonly clientSecret: string
  /** Undefined when it is known by its client id alone. */
  readonly applicationId: string | undefined
  /** How it was made, and so how it is deleted. */
  readonly madeBy: 'management' | 'registration'
}

/** Makes applications at Asgardeo, whole or not at all. All methods throw {@link AsgardeoError}. */
export interface AsgardeoRegistrar {
  /** The application of that name: a new one, or the one that was made before. */
  findOrCreate(name: string): Promise<AsgardeoClient>
  /** A new application: by dynamic client registration, or where that is not to be had through the management interface. */
  register(name: string): Promise<AsgardeoClient>
  /** Whether an application is still there and sends users back to us; where that cannot be seen, it is taken for granted. */
  isThere(client: AsgardeoClient): Promise<boolean>
  remove(client: AsgardeoClient): Promise<void>
}

export interface AsgardeoRegistrarOptions {
  readonly api: AsgardeoApi
  /** Where Asgardeo sends users back to. */
  readonly callbackUrl: string
  /** Scopes that applications are to have, of an API resource. */
  readonly authorize: { readonly resource: string; readonly scopes: readonly string[] } | undefined
  /** Called with what could not be cleaned up, and when registration is not available. */
  readonly onIssue: (message: string) => void
}

/** Errors after which registration is tried the other way. Wrong credentials are wrong there too. */
const OTHER_WAY = ['permission', 'missing', 'refused', 'conflict', 'unavailable'] as const

export function createAsgardeoRegistrar(options: AsgardeoRegistrarOptions): AsgardeoRegistrar {
  return {
    async findOrCreate(name) {
      try {
        return await create(name, options)
      } catch (error) {
        if (!isAsgardeoError(error, 'conflict')) throw error
        return adopt(name, options)
      }
    },
    async register(name) {
      try {
        return await registerAndAuthorize(name, options)
      } catch (error) {
        if (!isAsgardeoError(error, ...OTHER_WAY)) throw error
        options.onIssue(`${error.message}; the management interface is used instead`)
        return create(name, options)
      }
    },
    isThere: (client) => isThere(client, options),
    remove: (client) => remove(client, options),
  }
}

/** Credentials are of our own making, so that a client that may only create applications is enough. */
async function create(name: string, options: AsgardeoRegistrarOptions): Promise<AsgardeoClient> {
  const { api, callbackUrl } = options
  const credentials = { clientId: randomBytes(21).toString('base64url'), clientSecret: randomBytes(32).toString('base64url') }
  let id: string | undefined
  try {
    id = await createApplication(api, { name, callbackUrl, ...credentials })
    const client = { ...credentials, applicationId: id, madeBy: 'management' as const }
    if (options.authorize !== undefined || id === undefined) id ??= await findOwn(credentials.clientId, options)
    if (id === undefined) throw new AsgardeoError('unavailable', 'Asgardeo says it created an application, and has none')
    await authorize(id, options)
    return { ...client, applicationId: id, ...(await readBack(id, options)) }
  } catch (error) {
    // Nothing was created where the name is taken or the request was refused; otherwise it is unknown.
    if (id !== undefined || isAsgardeoError(error, 'unavailable')) await discard(name, id, credentials.clientId, options)
    throw error
  }
}

async function findOwn(clientId: string, { api }: AsgardeoRegistrarOptions): Promise<string | undefined> {
  return (await findApplication(api, 'clientId', clientId))?.id
}

/** What Asgardeo made of our credentials, as far as it may be looked at. */
async function readBack(id: string, { api }: AsgardeoRegistrarOptions): Promise<Partial<AsgardeoClient>> {
  try {
    const { clientId, clientSecret } = await readInboundProtocol(api, id)
    return { clientId, ...(clientSecret !== undefined && { clientSecret }) }
  } catch (error) {
    if (isAsgardeoError(error, 'permission')) return {}
    throw error
  }
}

async function authorize(id: string, { api, authorize: wanted }: AsgardeoRegistrarOptions): Promise<void> {
  if (wanted === undefined || wanted.scopes.length === 0) return
  await authorizeApi(api, id, await findApiResource(api, wanted.resource), wanted.scopes)
}

/** Takes an application into use that has the name already, if it is one of ours. */
async function adopt(name: string, options: AsgardeoRegistrarOptions): Promise<AsgardeoClient> {
  const { api } = options
  const found = await findTaken(name, api)
  if (found === undefined) throw nameIsTaken(name)
  const inbound = await settleCallback(found, options)
  await authorize(found.id, options)
  const clientSecret = inbound.clientSecret ?? (await regenerateSecret(api, found.id))
  return { clientId: inbound.clientId, clientSecret, applicationId: found.id, madeBy: 'management' }
}

const MAX_TRIES = 5

/** Has an application of ours send users back to us. Others who do the same at this moment may undo it, so it is looked at again. */
async function settleCallback(
  found: ListedApplication,
  { api, callbackUrl }: AsgardeoRegistrarOptions,
): Promise<InboundProtocol> {
  for (let tries = 0; tries < MAX_TRIES; tries++) {
    const inbound = await readTaken(found.id, api)
    if (inbound === undefined || !isOurs(found, inbound, callbackUrl)) throw nameIsTaken(found.name)
    if (inbound.callbackUrls?.includes(callbackUrl)) return inbound
    await addCallbackUrl(api, found.id, inbound, callbackUrl)
  }
  throw new AsgardeoError('unavailable', `Asgardeo does not keep the callback of the application ${JSON.stringify(found.name)}`)
}

async function findTaken(name: string, api: AsgardeoApi): Promise<ListedApplication | undefined> {
  try {
    return await findApplication(api, 'name', name)
  } catch (error) {
    if (!isAsgardeoError(error, 'permission')) throw error
    const message = `Asgardeo has an application ${JSON.stringify(name)} already, and whether it is ours cannot be seen: authorize the admin client for the scope internal_application_mgt_view, or choose another \`identity_provider.application_name\``
    throw new AsgardeoError('permission', message)
  }
}

async function readTaken(id: string, api: AsgardeoApi): Promise<InboundProtocol | undefined> {
  try {
    return await readInboundProtocol(api, id)
  } catch (error) {
    if (isAsgardeoError(error, 'missing')) return undefined
    throw error
  }
}

function isOurs({ description }: ListedApplication, { callbackUrls }: InboundProtocol, callbackUrl: string): boolean {
  return callbackUrls !== undefined && (description === OUR_DESCRIPTION || callbackUrls.includes(callbackUrl))
}

function nameIsTaken(name: string): AsgardeoError {
  return new AsgardeoError(
    'conflict',
    `Asgardeo has an application ${JSON.stringify(name)} already that is not ours: choose another \`identity_provider.application_name\`, or rename it there`,
  )
}

async function registerAndAuthorize(name: string, options: AsgardeoRegistrarOptions): Promise<AsgardeoClient> {
  const { api, callbackUrl } = options
  let clientId: string | undefined
  try {
    const registered = await registerClient(api, name, callbackUrl)
    clientId = registered.clientId
    if (options.authorize === undefined) return { ...registered, applicationId: undefined, madeBy: 'registration' }
    const applicationId = await findOwn(clientId, options)
    if (applicationId === undefined) throw new AsgardeoError('unavailable', 'Asgardeo registered a client without an application')
    await authorize(applicationId, options)
    return { ...registered, applicationId, madeBy: 'registration' }
  } catch (error) {
    if (clientId !== undefined) await discardRegistration(name, clientId, options)
    // An answer that never came may stand for a client that is there.
    else if (isAsgardeoError(error, 'unavailable')) await discardByName(name, options)
    throw error
  }
}

async function isThere({ clientId, applicationId }: AsgardeoClient, options: AsgardeoRegistrarOptions): Promise<boolean> {
  const { api, callbackUrl } = options
  try {
    if (applicationId === undefined) return (await findOwn(clientId, options)) !== undefined
    const { callbackUrls } = await readInboundProtocol(api, applicationId)
    return callbackUrls === undefined || callbackUrls.includes(callbackUrl)
  } catch (error) {
    if (error instanceof AsgardeoError) return error.kind !== 'missing'
    throw error
  }
}

async function remove({ madeBy, clientId, applicationId }: AsgardeoClient, { api }: AsgardeoRegistrarOptions): Promise<void> {
  if (madeBy === 'registration') return unregisterClient(api, clientId)
  if (applicationId !== undefined) await deleteApplication(api, applicationId)
}

async function discard(name: string, id: string | undefined, clientId: string, options: AsgardeoRegistrarOptions): Promise<void> {
  await tryTo(name, options, async () => {
    const known = id ?? (await findOwn(clientId, options))
    if (known !== undefined) await deleteApplication(options.api, known)
  })
}

function discardRegistration(name: string, clientId: string, options: AsgardeoRegistrarOptions): Promise<void> {
  return tryTo(name, options, () => unregisterClient(options.api, clientId))
}

/** Names of registrations end in a random word, so whatever has this one is ours. */
function discardByName(name: string, options: AsgardeoRegistrarOptions): Promise<void> {
  return tryTo(name, options, async () => {
    const found = await findApplication(options.api, 'name', name)
    if (found !== undefined) await deleteApplication(options.api, found.id)
  })
}

async function tryTo(name: string, { onIssue }: AsgardeoRegistrarOptions, clean: () => Promise<void>): Promise<void> {
  try {
    await clean()
  } catch (error) {
    onIssue(
      `the application ${JSON.stringify(name)} may be left behind at Asgardeo, delete it there: ${(error as Error).message}`,
    )
  }
}
