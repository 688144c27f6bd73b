import { formatAccountCallback, nameMeeting } from '../core/account-meeting.ts'
import type { Plan } from '../core/plan/plan.ts'

/** Where users connect accounts, and what has to be registered there. */
export function formatAccounts({ publicUrl, servers }: Plan): string[] {
  return servers.flatMap(({ name, credential }) => {
    if (credential.kind !== 'own_account') return []
    const { client, issuer } = credential.account
    if (client === undefined || issuer === undefined)
      return [`Users connect their own accounts for ${name}, at ${publicUrl}/connections.`]
    const callback = formatAccountCallback(publicUrl, nameMeeting(name, issuer))
    return [
      `Users connect their own accounts for ${name} at ${issuer}. Register there the redirect URI ${callback} of ${client.clientId}.`,
    ]
  })
}
