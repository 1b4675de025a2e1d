/* How the search orders what it finds: pages that help first, records of decisions last. */
const KINDS = [["tutorial/", 12], ["how-to/", 10], ["explanation/", 4], ["reference/cli", 8], ["reference/", 3], ["adr/", -20]];
var Scorer = {
  score: ([page, , , , score]) => score + (KINDS.find(([kind]) => page.startsWith(kind)) ?? ["", 0])[1],
  objNameMatch: 11, objPartialMatch: 6, objPrio: { 0: 15, 1: 5, 2: -5 }, objPrioDefault: 0,
  title: 15, partialTitle: 7, term: 5, partialTerm: 2,
};
