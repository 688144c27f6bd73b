import { interactionPolicy, type KoaContextWithOIDC } from 'oidc-provider'

/** When users see a page of ours: what the provider has for that, and what is special to signing in elsewhere. */
export function createInteractionPolicy() {
  const { Check, Prompt, base } = interactionPolicy
  const policy = base()
  // Where its last word on the user is over, the identity provider is asked: `findAccount` finds no account then. Nor is there anybody
  // where the session of the browser outlives the account.
  const isUnknown = ({ oidc }: KoaContextWithOIDC) => oidc.session?.accountId !== undefined && oidc.account === undefined
  policy.get('login')?.checks.add(new Check('account_unknown', 'the user has to sign in again', 'login_required', isUnknown))
  // The account is that at the identity provider, which lets the user choose.
  policy.add(new Prompt({ name: 'select_account', requestable: true }), 0)
  return policy
}
