/** Returns a text of different sentences; about thirty fill the 512 tokens of a pair. */
const long = (sentences) =>
  Array.from(
    { length: sentences },
    (_, at) => `Hive ${at} lost ${at * 37} of its bees in winter and found ${at * 7919} more in spring.`,
  ).join(" ");

const bees = "how do bees survive the winter";
const plain = "Bees huddle around their queen, shiver to keep warm, and live on the honey that they stored in summer.";

/** Pairs of all kinds: empty, one word, short, long, truncated, other scripts, unusual characters, repeated. */
export const pairs = [
  ["", ""],
  ["", plain],
  [bees, ""],
  [" \t\n ", "   "],
  ["bees", "honey"],
  ["bees", "bees"],
  ["a", "b"],
  [bees, plain],
  [bees, bees],
  [plain, bees],
  [bees, "The moon has no bees."],
  [bees, long(4)],
  [bees, long(13)],
  [bees, long(60)],
  [long(60), long(70)],
  ["как пчёлы зимуют", "Пчёлы собираются в клуб вокруг матки и греют её, пока не кончится мёд."],
  ["蜜蜂怎么过冬", "蜜蜂聚成一团取暖，靠夏天储存的蜂蜜过冬。"],
  ["كيف يعيش النحل في الشتاء", "تتجمع النحلات حول الملكة وتأكل العسل المخزون."],
  ["मधुमक्खियाँ सर्दी में क्या खाती हैं", "वे गर्मियों में जमा किया हुआ शहद खाती हैं।"],
  ["Überleben Bienen den Winter?", "Ja: sie rücken zusammen – „die Wintertraube“ – und zehren vom Honig."],
  ["🐝❄️?", "🐝🐝🐝 + 🍯 = ☀️"],
  ["x".repeat(300), "sum(i*i for i in range(10)) != 0xDEADBEEF; // [CLS] [SEP] [MASK]"],
  [bees, plain],
  [bees, long(13)],
];
