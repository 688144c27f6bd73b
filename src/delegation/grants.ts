import type { Clock } from '../core/clock.ts'
import type { DelegationPlan, SubjectTokenType, TokenTargetPlan } from '../core/plan/delegation-plan.ts'
import type { Caller } from '../core/upstream-credential.ts'
import { createTokenEndpoint, type IssuedToken, type TokenEndpoint, type TokenQuestion } from './token-endpoint.ts'

/** Finds the token that stands for a caller in an exchange. @throws ProxyError */
export type FindSubjectToken = (caller: Caller, type: SubjectTokenType) => Promise<string>

/** How one kind of delegation gets a token. */
export interface Grant {
  /** @throws TokenRefusal, Error as {@link TokenEndpoint.ask}; ProxyError of the subject token */
  issue(caller: Caller): Promise<IssuedToken>
  close(): Promise<void>
}

const TOKEN_TYPE = 'urn:ietf:params:oauth:token-type:'
const GRANT_TYPE = 'urn:ietf:params:oauth:grant-type:'
const ACCESS_TOKENS = ['access_token', 'jwt'].map((type) => `${TOKEN_TYPE}${type}`)
const ID_JAG = `${TOKEN_TYPE}id-jag`

type Parameters = TokenQuestion['parameters']

export function createGrant(plan: DelegationPlan, findSubject: FindSubjectToken, clock: Clock): Grant {
  const endpoint = createTokenEndpoint(plan.server, clock)
  const askFor = (parameters: Parameters) => endpoint.ask({ parameters, tokenType: 'Bearer', issuedTokenTypes: ACCESS_TOKENS })
  switch (plan.kind) {
    case 'client_credentials':
      return { close: endpoint.close, issue: () => askFor([['grant_type', 'client_credentials'], ...listTarget(plan)]) }
    case 'token_exchange':
      return {
        close: endpoint.close,
        async issue(caller) {
          const subject = await findSubject(caller, plan.subjectTokenType)
          return askFor([...formatExchange(subject, plan.subjectTokenType, `${TOKEN_TYPE}access_token`), ...listTarget(plan)])
        },
      }
    case 'on_behalf_of':
      return {
        close: endpoint.close,
        async issue(caller) {
          const assertion = await findSubject(caller, 'access_token')
          const grant: Parameters = [...formatAssertion(assertion), ['requested_token_use', 'on_behalf_of']]
          return askFor([...grant, ...listTarget(plan)])
        },
      }
    case 'identity_assertion':
      return createAssertionGrant(plan, {
        endpoint,
        provider: createTokenEndpoint(plan.identityProvider, clock),
        findSubject,
        askFor,
      })
  }
}

interface AssertionParts {
  readonly endpoint: TokenEndpoint
  readonly provider: TokenEndpoint
  readonly findSubject: FindSubjectToken
  readonly askFor: (parameters: Parameters) => Promise<IssuedToken>
}

/**
 * Two steps (Identity Assertion JWT Authorization Grant): the identity provider exchanges what it issued for the user for an assertion that
 * is good at one authorization server, and that one takes it as a grant (RFC 7523 §2.1). An assertion is used once and not kept.
 */
function createAssertionGrant(
  plan: Extract<DelegationPlan, { readonly kind: 'identity_assertion' }>,
  { endpoint, provider, findSubject, askFor }: AssertionParts,
): Grant {
  return {
    async issue(caller) {
      const subject = await findSubject(caller, plan.subjectTokenType)
      const target = listTarget({ ...plan, audiences: [plan.server.issuer] })
      const { token: assertion } = await provider.ask({
        parameters: [...formatExchange(subject, plan.subjectTokenType, ID_JAG), ...target],
        tokenType: 'N_A',
        issuedTokenTypes: [ID_JAG],
      })
      // "MCP clients MUST include the `resource` parameter in authorization and token requests" (2026-07-28, authorization/security-considerations).
      return askFor([...formatAssertion(assertion), ...listTarget({ ...plan, audiences: [] })])
    },
    async close() {
      await Promise.all([endpoint.close(), provider.close()])
    },
  }
}

/** RFC 8693 §2.1. */
function formatExchange(subject: string, type: SubjectTokenType, requested: string): Parameters {
  return [
    ['grant_type', `${GRANT_TYPE}token-exchange`],
    ['subject_token', subject],
    ['subject_token_type', `${TOKEN_TYPE}${type}`],
    ['requested_token_type', requested],
  ]
}

/** RFC 7523 §2.1. */
function formatAssertion(assertion: string): Parameters {
  return [
    ['grant_type', `${GRANT_TYPE}jwt-bearer`],
    ['assertion', assertion],
  ]
}

function listTarget({ audiences, resources, scopes }: TokenTargetPlan): Parameters {
  return [
    ...audiences.map((audience) => ['audience', audience] as const),
    ...resources.map((resource) => ['resource', resource] as const),
    ...listScopes({ scopes }),
  ]
}

function listScopes({ scopes }: Pick<TokenTargetPlan, 'scopes'>): Parameters {
  return scopes.length === 0 ? [] : [['scope', scopes.join(' ')]]
}
