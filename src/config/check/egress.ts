import { parseDirectHost, parseProxyUrl } from '../format/egress-formats.ts'
import { listDirectHosts } from '../source/egress-environment.ts'
import type { CheckContext } from './check-context.ts'

/** Keys that say something about `url`. */
const WITH_URL = ['username', 'password', 'no_proxy'] as const

/** Checks how other hosts are reached: the file, and the environment where that counts. */
export function checkEgress(context: CheckContext): void {
  const { config, isBroken, report } = context
  const egress = config.egress_proxy
  if (egress?.url === undefined) {
    if (isBroken(['egress_proxy', 'url'])) return
    for (const key of WITH_URL) {
      const value = egress?.[key]
      if (value === undefined || (Array.isArray(value) && value.length === 0)) continue
      report(['egress_proxy', key], {
        reason: 'has no use without `url`',
        fix: 'Add `url`, or remove it. HTTPS_PROXY and NO_PROXY hold their own.',
      })
    }
    if (egress?.enabled !== false) checkEnvironment(context)
    return
  }
  if (egress.password !== undefined && egress.username === undefined && !isBroken(['egress_proxy', 'username'])) {
    report(['egress_proxy', 'username'], {
      reason: 'is missing; there is a `password`',
      fix: 'Add the user name, or remove the password.',
    })
  }
}

function checkEnvironment({ secretsAndFiles, report }: CheckContext): void {
  const { egressVariables } = secretsAndFiles
  const { https, http, noProxy } = egressVariables
  for (const variable of [https, http]) {
    const mistake = variable && parseProxyUrl(variable.value).mistake
    if (mistake)
      report([variable.name], {
        reason: `${mistake.reason} (environment variable)`,
        fix: `${mistake.fix} \`egress_proxy: { enabled: false }\` ignores it.`,
      })
  }
  // What other programs understand and we don't: better said than guessed. Without a proxy nothing depends on it.
  if (https === undefined && http === undefined) return
  for (const item of listDirectHosts(egressVariables)) {
    const mistake = parseDirectHost(item).mistake
    if (mistake && noProxy) report([noProxy.name], { reason: `${mistake.reason} (environment variable)`, fix: mistake.fix })
  }
}
