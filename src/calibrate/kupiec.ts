import { errorFunction } from "simple-statistics";

/**
 * Kupiec's proportion-of-failures test: how likely at least as unlikely a number of breaches is if each of `windows` is breached with
 * `probability`, by the χ² distribution with one degree of freedom of
 *
 *     LR = −2 ln( (1 − p)^(T − N) · p^N ) + 2 ln( (1 − N/T)^(T − N) · (N/T)^N )
 *
 * P. Kupiec, "Techniques for Verifying the Accuracy of Risk Measurement Models", Journal of Derivatives 3 (1995).
 */
export function kupiec(windows: number, breaches: number, probability: number): { ratio: number; pValue: number } {
  const ratio =
    2 * (logLikelihood(windows, breaches, breaches / windows) - logLikelihood(windows, breaches, probability));
  // χ² with one degree of freedom is the square of a normal number. The library's error function is exact to 1.2e-7.
  return { ratio, pValue: Math.min(1, 1 - errorFunction(Math.sqrt(Math.max(ratio, 0) / 2))) };
}

function logLikelihood(windows: number, breaches: number, probability: number): number {
  return times(windows - breaches, Math.log(1 - probability)) + times(breaches, Math.log(probability));
}

/** 0 · ln 0 = 0 */
function times(count: number, log: number): number {
  return count === 0 ? 0 : count * log;
}
