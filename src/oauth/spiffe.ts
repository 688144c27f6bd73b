/** Whether a claim is a SPIFFE ID of a workload in a trust domain (SPIFFE-ID §2). */
export function isOfTrustDomain(subject: unknown, trustDomain: string): boolean {
  const start = `spiffe://${trustDomain}/`
  return typeof subject === 'string' && subject.startsWith(start) && subject.length > start.length
}
