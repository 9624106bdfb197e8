export const up = (pgm) => {
  pgm.sql("SET lock_timeout = '2s'");
  pgm.addColumn('users', { nickname: { type: 'text' } });
  pgm.createIndex('users', 'nickname', { name: 'users_nickname' });
};

export const down = (pgm) => {
  pgm.dropColumn('users', 'nickname');
};
