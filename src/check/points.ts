import type { Point } from './point.js'
import { djangoSettings } from './points/django.js'
import { privacy } from './points/privacy.js'
import { rights } from './points/rights.js'
import { signingIn } from './points/signing-in.js'
import { visitors } from './points/visitors.js'

/** All points, in an order in which each follows its needs. */
export const allPoints: readonly Point[] = [...signingIn, ...rights, ...privacy, ...visitors, ...djangoSettings]
