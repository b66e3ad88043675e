export const recipes = [
  { title: "Lentil soup", description: "Red lentils with carrots and cumin, a hot bowl that needs one pot.", minutes: 35 },
  { title: "Beef stew", description: "Meat in red wine for a cold evening, with potatoes.", minutes: 180 },
  { title: "Chicken broth", description: "A warm broth for a cold, with meat from the bone and noodles.", minutes: 60 },
  { title: "Cucumber salad", description: "Cold slices with dill and yogurt for a warm day.", minutes: 10 },
  { title: "Mushroom risotto", description: "Creamy rice with porcini, vegetarian and filling.", minutes: 45 },
  { title: "Gazpacho", description: "A cold soup of tomatoes and peppers without cooking.", minutes: 15 },
  { title: "Baked apples", description: "Warm apples with nuts and something sweet on top.", minutes: 40 },
  { title: "Fish tacos", description: "Fried fish with lime for an evening with friends.", minutes: 30 },
];
