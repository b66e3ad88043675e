export const notes = [
  { title: "Sourdough log", body: "The loaf stayed flat: the starter was too cold and I shaped it too early." },
  { title: "Bread knives", body: "A serrated blade cuts crust without pressing the crumb." },
  { title: "Yeast", body: "Dry yeast dies above 50 degrees, and dough made with it will not rise." },
  { title: "Shopping", body: "Bread, rye flour, salt, baking paper." },
  { title: "Sunrise walk", body: "We rose early to see the sun rise over the lake." },
  { title: "Oven", body: "Preheat for an hour with the stone inside; steam makes the crust thin." },
  { title: "Garlic bread", body: "Cut the bread, add garlic butter, ten minutes in the oven." },
  { title: "Meeting", body: "Prices of wheat rise again. Why did nobody tell the bakery?" },
  { title: "Rye", body: "Rye has little gluten, so the loaf is dense." },
  { title: "Croissants", body: "Fold the butter in three times and rest the dough in between." },
];
