// What pages gain where scripts run. Each part looks for its own marks in the page and leaves the rest alone;
// without any of them every page still works by links and forms.
import { startCompletion } from './completion.js';
import { startDrag } from './drag.js';
import { startKeys } from './keys.js';
import { startList } from './list.js';
import { startLive } from './live.js';
import { startPalette } from './palette.js';
import { startTexts } from './texts.js';

startTexts();
startList();
startKeys();
startPalette();
startCompletion();
startDrag();
startLive();
