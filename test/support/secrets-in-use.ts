/** What was used as a secret anywhere in this test file: tokens that were minted or issued, secrets of configurations. */
const secretsInUse = new Set<string>()

/** Every output of every proxy of this test file is searched for it. */
export function rememberSecret(secret: string): void {
  if (secret !== '') secretsInUse.add(secret)
}

/** Another test file begins, in a process that several share. */
export function forgetSecrets(): void {
  secretsInUse.clear()
}

export function listSecretsInUse(): readonly string[] {
  return [...secretsInUse]
}
