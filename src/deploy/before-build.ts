/*
 * What adapters need where a build is on, before its files are there. Together, as the package's files are made of what is imported together:
 * each that is loaded costs a build half a millisecond.
 */

export { takeSnapshots } from '../files/collect.js'
export { whyLeftOut } from '../files/why-left-out.js'
export { ask } from './early-survey.js'
