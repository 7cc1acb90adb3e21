// What draws a figure that no grid holds, by the name that `page_function` gives it. Each is the
// twin of a function in Python, and tests/pages compares the two.

import { typedDate } from "./alignment.js";
import { attentionSteps } from "./attention.js";
import { judgedSentence } from "./judges.js";
import { compareBags } from "./words.js";

export const pageFunctions = { attentionSteps, compareBags, judgedSentence, typedDate };
