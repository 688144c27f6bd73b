import { isAccessKey } from '../core/access-key.ts'
import { withBody } from '../core/call.ts'
import { ProxyError } from '../core/errors.ts'
import type { RoutedCall } from '../core/route.ts'
import type { FindCredential, OwnAccountCredential, UpstreamCredential } from '../core/upstream-credential.ts'
import { withoutAccountAnswer } from '../mcp/account-question.ts'
import { askForAccount } from './answer-account.ts'
import type { Identity } from './authenticate.ts'

/**
 * Gives a permitted call the credential that its upstream is configured to get. The caller's own token is for us alone (2026-07-28, security
 * considerations, Access Token Privilege Restriction) unless it is that credential.
 *
 * @throws ProxyError as {@link FindCredential}; `access_key_unsupported`: no MCP server gets an access key, and there is no sign-in behind one
 */
export function addCredential(call: RoutedCall, { token }: Identity): RoutedCall | Promise<RoutedCall> {
  const { credential } = call.route
  if (isOfCaller(credential) && isAccessKey(token))
    throw new ProxyError('access_key_unsupported', { cause: `the credential of the upstream is ${credential.kind}` })
  switch (credential.kind) {
    case 'none':
      return call
    case 'access_token':
      return addBearerToken(call, token)
    case 'identity_provider':
    case 'delegated':
      return findToken(credential.find, call, token)
    case 'own_account':
      return findAccountToken(credential, call, token)
  }
}

/** Whether something of the caller is in it. */
function isOfCaller(credential: UpstreamCredential): boolean {
  return credential.kind === 'delegated' ? !credential.isShared : credential.kind !== 'none'
}

async function findToken(find: FindCredential, call: RoutedCall, token: string): Promise<RoutedCall> {
  return addBearerToken(call, await find({ principal: call.principal, token }))
}

/** @throws ProxyError `account_required` with the question for the user, where no account is connected */
async function findAccountToken(credential: OwnAccountCredential, call: RoutedCall, token: string): Promise<RoutedCall> {
  try {
    const ready = await findToken(credential.find, call, token)
    const body = call.body && withoutAccountAnswer(call.body)
    return body === call.body ? ready : withBody(ready, body)
  } catch (error) {
    if (error instanceof ProxyError && error.code === 'account_required') throw askForAccount(error, call, credential)
    throw error
  }
}

function addBearerToken(call: RoutedCall, token: string): RoutedCall {
  return { ...call, headers: [...call.headers, 'authorization', `Bearer ${token}`] }
}
