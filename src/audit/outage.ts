import { endSentence } from '../core/sentence.ts'

/** A time in which records could not be written. */
export interface Outage {
  isOn(): boolean
  begin(why: string): void
  /** Counts a record that is lost. */
  lose(why: string): void
  /** @returns the records that this outage has cost */
  end(): number
  /** Tells what an outage has cost that is not over when the process ends. */
  conclude(): void
  /** Records that were lost until now. */
  lost(): number
}

/**
 * @param consequence - what an outage means for the time that it lasts, as a sentence
 * @param onIssue - called when an outage begins and when it ends: once each, however many records there are
 */
export function createOutage(consequence: string, onIssue: (message: string) => void): Outage {
  let isOn = false
  let lost = 0
  let lostBefore = 0
  const begin = (why: string): void => {
    if (isOn) return
    isOn = true
    onIssue(`${endSentence(`The audit log cannot be written: ${why}`)} ${consequence}`)
  }
  return {
    isOn: () => isOn,
    begin,
    lose(why) {
      lost += 1
      begin(why)
    },
    end() {
      if (!isOn) return 0
      isOn = false
      const cost = lost - lostBefore
      lostBefore = lost
      onIssue(`The audit log is written again. Records lost meanwhile: ${cost}.`)
      return cost
    },
    conclude() {
      if (isOn) onIssue(`The process ends while the audit log cannot be written. Records lost: ${lost - lostBefore}.`)
    },
    lost: () => lost,
  }
}
