import { createRawClient, type RawClient } from './broker-client.ts'
import { type BrokerStage, type BrokerStageOptions, startBrokerStage } from './broker-stage.ts'

/** A proxy whose users have accounts at an MCP server with an authorization server of its own, and a client. */
export interface AccountStage extends BrokerStage {
  readonly client: RawClient
  /** Name of the client, as it says of itself. */
  readonly clientName: string
}

export interface AccountStageOptions extends BrokerStageOptions {
  /** Members of the server's `credential` beside its kind. */
  readonly credential?: object
}

const CLIENT_NAME = 'The editor'

/** @param upstream - URL of the MCP server */
export async function startAccountStage(upstream: string, options: AccountStageOptions = {}): Promise<AccountStage> {
  const credential = { kind: 'own_account', ...options.credential } as const
  const servers = () => [{ name: 'saas', path: '/mcp', upstream, credential, scopes: ['mcp:tools'] }]
  const stage = await startBrokerStage({ servers, ...options })
  const client = await createRawClient(stage.proxy.origin, { client_name: CLIENT_NAME })
  return { ...stage, client, clientName: CLIENT_NAME }
}
