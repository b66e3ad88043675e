export const documents = [
  "Water ferns as soon as the soil feels dry, in summer every second day.",
  "Succulents of the desert rot if they stand in wet soil: in summer a little every two weeks is enough, in winter nothing at all.",
  "A cactus in bloom should not be moved.",
  "Rain water has less lime than water from the tap.",
  "Repot a cactus in spring, and wear gloves.",
  "Orchids like a bath once a week; let them drip afterwards.",
  "Spider mites come when the air is dry. Spray the leaves often.",
  "How often you should fertilize depends on the plant and the season.",
];
