import type { IdentityProviderPlan } from '../core/plan/identity-provider-plan.ts'
import type { IssuerPlan } from '../core/plan/issuer-plan.ts'
import type { Plan } from '../core/plan/plan.ts'
import { listProviderForms } from './check-identity-provider.ts'
import { explainMissing } from './check-metadata.ts'
import { type Finding, findingsAbout } from './finding.ts'
import { type IssuerQuestion, probeIssuer } from './probe-issuer.ts'
import { escapeControlCharacters } from './untrusted-text.ts'

/** Issuers and identity providers of a configuration that can't be verified: unreachable, misspelt, or another issuer. */
export async function findIssuerProblems({ servers, broker }: Plan): Promise<Finding[]> {
  const questions = [
    ...servers.flatMap(({ issuers }) => issuers).filter(({ issuer }) => issuer !== broker?.issuer),
    ...(broker === undefined || broker.identityProvider.oauth !== undefined ? [] : [describeProvider(broker.identityProvider)]),
  ]
  const once = [...new Map(questions.map((question) => [question.issuer, question])).values()]
  return (await Promise.all(once.map(findProblem))).filter((finding) => finding !== undefined)
}

function describeProvider(plan: IdentityProviderPlan): IssuerQuestion {
  return { ...plan, jwksUri: undefined, forms: listProviderForms(plan) }
}

async function findProblem(question: IssuerQuestion | IssuerPlan): Promise<Finding | undefined> {
  const probe = await probeIssuer(question)
  if (probe.metadata !== undefined) return undefined
  const { says, fix, ...finding } = explainMissing(probe, findingsAbout(`issuer ${question.issuer}`))
  return { ...finding, says: escapeControlCharacters(says), fix: fix === undefined ? undefined : escapeControlCharacters(fix) }
}
