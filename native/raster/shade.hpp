// Shades eight pixels of one row at once, once each: what is seen at them is gathered from all the
// primitives that are there, and then lit together.
#pragma once

#include "classic.hpp"
#include "lit_triangles.hpp"
#include "standard.hpp"
#include "surface.hpp"

namespace heliograph {
namespace {

// What a picture's pixels have in common.
struct Scene {
    const Meshes& meshes;
    const Instances& instances;
    const std::vector<const Paint*>& paints;
    const View& view;
    const Picture& picture;
    const Frame& frame;
    const Plan& plan;
    Lens lens;

    bool coloured() const { return picture.rgb != nullptr; }
    bool blended() const { return picture.rgb != nullptr || picture.alpha != nullptr; }
    // Whether fronts of an instance's triangles are clockwise.
    bool turned(const Kind& kind) const { return kind.mirrored != view.reflected; }
    const Kind& kind(const Drawn& drawn) const {
        return instances.kind[std::size_t(drawn.instance)];
    }
    const float* record(const Drawn& drawn) const {
        return instances.records[std::size_t(drawn.instance)].data();
    }
    bool vertex_lit(const Kind& kind, const Drawn& drawn) const {
        return view.vertex_lit && kind.side == Side::front && kind.line == 0 && !drawn.boxed;
    }
    // The texture of an opaque thing.
    const Paint* paint(const Kind& kind) const {
        return kind.texture < 0 ? nullptr : paints[std::size_t(kind.texture)];
    }
    // Whether a texture lies on triangles as they are, not on a shape's own surface.
    bool laid_flat(const Kind& kind) const {
        return kind.texture >= 0 && (kind.solver == Solver::mesh || kind.solver == Solver::face) &&
               paint(kind)->image.kind == TextureKind::flat;
    }
    // Whether an opaque thing is lit at its triangles' corners, and there is nothing else to it but
    // a texture on them.
    bool simple(const Drawn& drawn) const {
        const Kind& of = kind(drawn);
        if (drawn.boxed || of.line > 0 || of.side != Side::front) return false;
        return !blended() || (coloured() && view.vertex_lit && !view.linear && !view.haze &&
                              !of.emissive && !of.tinted && (of.texture < 0 || laid_flat(of)));
    }
};

// Eight pixels, as far as they were gathered. It begins with no more than every picture reads; the
// rest is cleared by what needs it first.
struct Block {
    Mask covered;
    Float8 depth;
    Vec3 normal;
    Int8 id;
    // For colour alone:
    Vec3 rgb;
    Vec4 material;
    Float8 alpha;
    Mask textured, vertex_lit, unlit, hazy, glowing, reflective;
    Vec3 texel, emissive, lit, direct[MAX_SHADOWS];
    Float8 reflectance;
    // In linear light:
    Vec3 bent;
    Float8 turning, open;
    Mask phong, lambert, show_normal, show_depth, occluded;

    explicit Block(bool linear)
        : covered(all_int(0)), depth(all(__builtin_inff())), normal(vec3(0, 0, 0)), id(all_int(0)) {
        textured = vertex_lit = unlit = hazy = glowing = reflective = all_int(0);
        rgb = vec3(0, 0, 0);
        material = {all(0.0f), all(0.0f), all(1.0f), all(0.0f)};
        alpha = all(1.0f);
        if (!linear) return;
        bent = vec3(0, 0, 0);
        turning = all(0.0f), open = all(1.0f);
        phong = lambert = show_normal = show_depth = occluded = all_int(0);
    }
};

// Light at eight vertices of an instance.
inline Vec3 light_vertices(const Scene& scene, const Drawn& drawn, Vec3 place, Vec3 normal, Mask m,
                           Vec3* direct) {
    const float* record = scene.record(drawn);
    const Vec3 rgb = vec3(record + RGBA);
    if (scene.kind(drawn).shading == Shading::unlit) {
        for (int i = 0; i < int(scene.frame.block->shadow_count); ++i) direct[i] = vec3(0, 0, 0);
        return rgb;
    }
    const Vec3 view = scene.view.camera.orthographic ? vec3(0, 0, 1) : normalize(-place);
    const ClassicSurface surface{rgb, all(record[MATERIAL]), all(record[MATERIAL + 1]),
                                 all(record[MATERIAL + 2]), place, normalize(normal), view};
    return classic_vertex_light(scene.frame, surface, m, direct);
}

HELIOGRAPH_INLINE Vec3 normals_way(const float* n, Vec3 a) {
    return {a.x * n[0] + a.y * n[1] + a.z * n[2], a.x * n[3] + a.y * n[4] + a.z * n[5],
            a.x * n[6] + a.y * n[7] + a.z * n[8]};
}

// Light at all vertices of an instance, behind what `light` holds already.
static void light_whole(const Scene& scene, Drawn& drawn, VertexLight& light) {
    const Meshes& meshes = scene.meshes;
    const int shadows = int(scene.frame.block->shadow_count);
    const Solver solver = scene.kind(drawn).solver;
    const Rows map = rows_of(drawn.from_object);
    for (std::int32_t i = 0; i < drawn.vertices; i += 8) {
        const std::size_t at = drawn.base + std::size_t(i);
        const Vec3 normal{load(&meshes.normal[0][at]), load(&meshes.normal[1][at]),
                          load(&meshes.normal[2][at])};
        const Vec3 place = map.point(object_vertex(meshes, at, solver, drawn.length));
        Vec3 direct[MAX_SHADOWS];
        const Vec3 sum = light_vertices(scene, drawn, place, normals_way(drawn.normals, normal),
                                        all_int(-1), direct);
        float* to = light.numbers.data() + drawn.light + std::size_t(i);
        const auto put = [&](int number, Vec3 a) {
            store(to + std::size_t(number) * light.stride, a.x);
            store(to + std::size_t(number + 1) * light.stride, a.y);
            store(to + std::size_t(number + 2) * light.stride, a.z);
        };
        put(0, sum);
        for (int k = 0; k < shadows; ++k) put(3 + 3 * k, direct[k]);
    }
}

// a where the mask is true, else b; `whole`: it is true everywhere.
template <bool whole, typename Value>
HELIOGRAPH_INLINE Value pick(Mask m, const Value& a, const Value& b) {
    return whole ? a : select(m, a, b);
}

class Shader {
public:
    Shader(const Scene& scene, const VertexLight& light, Workspace& work)
        : scene_(scene), light_(light), lazy_(work.light) {
        width_ = 3 + 3 * std::size_t(scene.frame.block->shadow_count);
        lazy_.begin(light.lazy, width_);
        work.triangles.resize(KEPT_TRIANGLES);
        triangles_ = work.triangles.data();
        first_key_ = ++work.pictures << 32;
    }

    static std::int32_t id_of(const float* record) {
        std::int32_t id;
        __builtin_memcpy(&id, record + ID, sizeof id);
        return id;
    }

    // Whether all primitives of a thing look the same, but for light at their corners.
    static bool alike(const Kind& kind) { return kind.is_body() && kind.side == Side::front; }

    // Has the corners of a primitive lit soon, with those of others; `light_waiting` ends it.
    void want_light(const Drawn& drawn, std::uint32_t number) {
        find(drawn, scene_.kind(drawn), number);
        if (!triangle_->lit) want_corners(drawn);
    }

    // Lights vertices that wait for it, up to eight at once.
    void light_waiting() {
        if (waiting_count_ == 0) return;
        const Drawn& drawn = *waiting_;
        const Meshes& meshes = scene_.meshes;
        const Mask wanted = lane_numbers() < all_int(waiting_count_);
        // Behind the last one there are others', which this mesh may not have.
        const Int8 vertices =
            select(wanted, load(waiting_vertices_), all_int(waiting_vertices_[0]));
        const auto row = [&](const std::vector<float>& column) {
            return heliograph::gather(column.data() + drawn.base, vertices);
        };
        const Solver solver = scene_.kind(drawn).solver;
        const Vec3 place = rows_of(drawn.from_object)
                               .point(object_vertex(meshes, row, solver, drawn.length));
        const Vec3 normal{row(meshes.normal[0]), row(meshes.normal[1]), row(meshes.normal[2])};
        Vec3 lit[1 + MAX_SHADOWS];
        lit[0] = light_vertices(scene_, drawn, place, normals_way(drawn.normals, normal), wanted,
                                lit + 1);
        for (int i = 0; i < waiting_count_; ++i) {
            float* to =
                lazy_.numbers.data() + (drawn.light + std::size_t(waiting_vertices_[i])) * width_;
            for (std::size_t part = 0; part < width_ / 3; ++part) {
                to[3 * part] = lit[part].x[i];
                to[3 * part + 1] = lit[part].y[i];
                to[3 * part + 2] = lit[part].z[i];
            }
        }
        waiting_count_ = 0;
    }

    // Adds what `primitives` show at lanes `m`: one, `number`, or several that are `alike`.
    void gather(Block& block, const Rays& rays, Mask m, const Drawn& drawn, std::uint32_t number,
                Int8 primitives) {
        if (bits(m) == 255) {
            gather<true>(block, rays, m, drawn, number, primitives);
        } else {
            gather<false>(block, rays, m, drawn, number, primitives);
        }
    }
    // `whole`: at all of them.
    template <bool whole>
    HELIOGRAPH_INLINE void gather(Block& block, const Rays& rays, Mask m, const Drawn& drawn,
                                  std::uint32_t number, Int8 primitives) {
        const Kind& kind = scene_.kind(drawn);
        const float* record = scene_.record(drawn);
        find(drawn, kind, number);
        Seen seen;
        see(seen, rays, drawn, kind, number);
        block.covered |= m;
        block.depth = pick<whole>(m, seen.depth.value, block.depth);
        block.id = pick<whole>(m, all_int(id_of(record)), block.id);
        block.normal = pick<whole>(m, seen.normal.value, block.normal);
        if (!scene_.blended()) return;
        Vec4 texel{all(1.0f), all(1.0f), all(1.0f), all(1.0f)};
        Laid laid;
        const Paint* paint = scene_.paint(kind);
        const bool flat = paint != nullptr && paint->image.kind == TextureKind::flat;
        if (paint != nullptr) texel = look(*paint, drawn, kind, seen, m, laid);
        if (kind.tinted) tint(texel, seen);
        if (record[RGBA + 3] < 1.0f)
            block.alpha = pick<whole>(m, texel.w * record[RGBA + 3], block.alpha);
        if (!scene_.coloured()) return;
        colour<whole>(block, m, kind, record, seen, texel);
        if (scene_.vertex_lit(kind, drawn)) {
            if (kind.is_body()) {
                light_alike<whole>(block, rays, m, drawn, primitives);
            } else {
                add_vertex_light<whole>(block, m, drawn, seen.first.value, seen.second.value);
            }
        }
        if (flat && scene_.view.linear) add_layers(block, m, *paint, seen, laid);
    }

    // Adds a triangle of a simple thing at lanes `m` (`whole`: begins with it, at all of them);
    // false where its texture is another one than that of others.
    template <bool whole>
    bool take(LitTriangles& to, Mask m, const Drawn& drawn, std::uint32_t number) {
        const Kind& kind = scene_.kind(drawn);
        const float* record = scene_.record(drawn);
        find(drawn, kind, number);
        to.put_place<whole>(m, *triangle_);
        to.id = pick<whole>(m, all_int(id_of(record)), to.id);
        if (scene_.picture.normals != nullptr)
            to.put_normals<whole>(m, *triangle_, kind.solver == Solver::face);
        if (!scene_.coloured()) return true;
        if (!triangle_->lit) light_triangle(drawn);
        to.put_light<whole>(m, *triangle_, int(width_));
        const bool reflective = kind.reflective && scene_.view.mirror != nullptr;
        LitTriangles::put<whole>(m, to.reflectance, reflective ? record[MATERIAL + 3] : 0.0f);
        to.reflective = reflective || (!whole && to.reflective);
        return to.put_paint<whole>(m, *triangle_, scene_.paint(kind));
    }

    // Where rays meet a body, in camera axes; its normal is of any length.
    HELIOGRAPH_INLINE Crossing meet(const Rays& rays, const Drawn& drawn) const {
        const Kind& kind = scene_.kind(drawn);
        const Crossing met =
            cross(kind.solver, drawn.length, ObjectRays(drawn, rays), all_int(0));
        return {larger(met.depth, all(scene_.lens.nearest)),
                normals_way(drawn.normals, met.normal), met.missed};
    }
    // What lights a body at lanes `m`.
    const LitTriangles& light_body(const Drawn& drawn, Mask m, Int8 primitives) {
        if (scene_.coloured()) take_alike(m, drawn, primitives);
        return alike_;
    }

    // What a screen shows of simple things, as deep as `depth` says; more than 1 is white.
    template <typename Depth>
    HELIOGRAPH_INLINE Vec3 shaded(const OnTriangles& on, const Depth& depth, const Rays& rays,
                                  Mask there, int x, int y) const {
        const LitTriangles& t = on.triangles;
        const FrameBlock& block = *scene_.frame.block;
        Vec3 lit = on.between3(t.light);
        if (block.shadow_count > 0) {
            const Vec3 point = rays.point(depth());
            for (int i = 0; i < int(block.shadow_count); ++i)
                lit += on.between3(t.light + 3 + 3 * i) * lit_part(scene_.frame, i, point, there);
        }
        if (t.paint != nullptr) {
            const Vec4 texel =
                look_up(*t.paint, t.paint->image, 0, on.laid(block), there & t.textured);
            lit *= select(t.textured, Vec3{texel.x, texel.y, texel.z}, vec3(1, 1, 1));
        }
        if (t.reflective) {
            const Int8 colours = mirror_bytes(x, y);
            if (any(colours != 0)) lit += from_bytes(colours) * t.reflectance;
        }
        return lit;
    }

    // Which lanes of a primitive with holes are there.
    Mask solid(const Rays& rays, Mask m, const Drawn& drawn, std::uint32_t number) {
        const Kind& kind = scene_.kind(drawn);
        find(drawn, kind, number);
        Seen seen;
        see(seen, rays, drawn, kind, number);
        Laid laid;
        Vec4 texel = look(*scene_.paint(kind), drawn, kind, seen, m, laid);
        if (kind.tinted) tint(texel, seen);
        return m & (texel.w >= scene_.record(drawn)[CUTOFF]);
    }

    // Which lanes of a round thing's primitive rays meet it at, and how near that is.
    Mask met(const Rays& rays, Mask m, const Drawn& drawn, std::uint32_t number, Float8& nearness) {
        const Kind& kind = scene_.kind(drawn);
        if (kind.side == Side::both) find(drawn, kind, number);
        const ObjectRays object(drawn, rays);
        const Float8 nearest = all(scene_.lens.nearest);
        const Mask back = all_int(leaves(drawn, kind, number) ? -1 : 0);
        const Crossing met = cross(kind.solver, drawn.length, object, back);
        nearness = scene_.lens.nearness(met.depth);
        return m & ~met.missed & (met.depth >= nearest);
    }

    // What a screen shows of gathered pixels, from 0 to 1.
    HELIOGRAPH_INLINE Vec3 shaded(const Block& block, const Rays& rays, int x, int y) const {
        const Vec3 point = rays.point(select(block.covered, block.depth, all(1.0f)));
        Vec3 mirrored = vec3(0, 0, 0);
        if (any(block.reflective)) {
            mirrored = from_bytes(mirror_bytes(x, y));
            if (scene_.view.linear) mirrored = decoded(mirrored);
            mirrored *= select(block.reflective, block.reflectance, all(0.0f));
        }
        Vec3 lit = scene_.view.linear ? linear_light(block, rays, point, mirrored)
                                      : classic(block, rays, point) + mirrored;
        if (scene_.view.haze && any(block.hazy & block.covered))
            lit = select(block.hazy, hazed(scene_.frame, lit, point), lit);
        return clamp(lit, 0.0f, 1.0f);
    }

private:
    // Makes a primitive's triangle the one at hand.
    HELIOGRAPH_INLINE void find(const Drawn& drawn, const Kind& kind, std::uint32_t number) {
        if (drawn.boxed) return;
        triangle_ = triangles_ + number % KEPT_TRIANGLES;
        if (triangle_->key != (first_key_ | number)) set(drawn, kind, number);
    }
    __attribute__((noinline)) void set(const Drawn& drawn, const Kind& kind, std::uint32_t number) {
        triangle_->key = first_key_ | number;
        set_triangle(*triangle_, scene_.meshes, drawn, kind.solver, number, scene_.view,
                     scene_.turned(kind));
        if (!scene_.laid_flat(kind)) return;
        const float* record = scene_.record(drawn);
        lay_triangle(*triangle_, scene_.meshes, drawn, kind, record + SCALE, record + OFFSET,
                     scene_.view);
    }

    // Whether a primitive is seen from behind: of things cast as rays it is the second one.
    bool leaves(const Drawn& drawn, const Kind& kind, std::uint32_t number) const {
        if (kind.side != Side::both) return kind.side == Side::back;
        return drawn.boxed ? number != drawn.number : !triangle_->front;
    }

    // What is seen of one primitive.
    struct Seen {
        Sloped depth, first, second;
        SlopedPoint normal;  // of unit length, camera axes
        SlopedPoint place;   // camera axes; of what has a texture
        Laid laid;           // of what has one on its triangles
        Vec3 object_normal, object, object_dx, object_dy;
    };

    HELIOGRAPH_INLINE void see(Seen& seen, const Rays& rays, const Drawn& drawn, const Kind& kind,
                               std::uint32_t number) {
        const FrameBlock& frame = *scene_.frame.block;
        const bool exact = kind.is_body();
        const bool back = leaves(drawn, kind, number);
        const bool flat = scene_.laid_flat(kind);
        const bool placed =
            kind.texture >= 0 && (!flat || scene_.view.linear);  // its place is asked for
        if (!exact) {
            const OnTriangle on(*triangle_, frame, rays.where, scene_.view.linear, placed);
            seen.first = on.first, seen.second = on.second, seen.depth = on.depth;
            if (flat) seen.laid = on.laid(*triangle_);
            if (kind.line > 0) seen.depth.value = depth_of_line(rays, drawn);
            see_mesh(seen, on, kind);
        } else {
            see_exact(seen, rays, drawn, kind, back);
        }
        if (back && kind.line == 0) {
            seen.normal.value = -seen.normal.value;
            if (scene_.view.linear)
                seen.normal.dx = -seen.normal.dx, seen.normal.dy = -seen.normal.dy;
        }
        if (placed) {
            seen.place = sloped_point(rays, frame, seen.depth);
            const Rows to_object = rows_of(drawn.to_object);
            seen.object = to_object.point(seen.place.value);
            seen.object_dx = to_object.way(seen.place.dx);
            seen.object_dy = to_object.way(seen.place.dy);
        }
    }

    // Of a line, whose ends are the first two corners: where it is nearest to each ray, seen on
    // the picture.
    Float8 depth_of_line(const Rays& rays, const Drawn& drawn) const {
        float end[2][3];
        for (int k = 0; k < 2; ++k)
            for (int r = 0; r < 3; ++r) {
                const float* m = drawn.from_object + 4 * r;
                end[k][r] = m[3];
                for (int axis = 0; axis < 3; ++axis)
                    end[k][r] += m[axis] * scene_.meshes.position[axis][triangle_->corner[k]];
            }
        const float nearest = scene_.lens.nearest;
        for (int k = 0; k < 2; ++k) {
            const float *a = end[k], *b = end[1 - k];
            if (-a[2] >= nearest || -b[2] < nearest) continue;
            const float part = (nearest + a[2]) / (a[2] - b[2]);
            const float at[3] = {a[0] + (b[0] - a[0]) * part, a[1] + (b[1] - a[1]) * part,
                                 -nearest};
            std::copy_n(at, 3, end[k]);
        }
        float where[2][2], nearness[2];
        for (int k = 0; k < 2; ++k) {
            const float depth = -end[k][2], over = rays.parallel ? 1.0f : 1.0f / depth;
            where[k][0] = end[k][0] * over * scene_.lens.fx;
            where[k][1] = end[k][1] * over * scene_.lens.fy;
            nearness[k] = rays.parallel ? depth : over;
        }
        const float along[2] = {where[1][0] - where[0][0], where[1][1] - where[0][1]};
        const int axis = std::abs(along[0]) >= std::abs(along[1]) ? 0 : 1;
        const Float8 here =
            axis == 0 ? rays.where.x * scene_.lens.fx : rays.where.y * scene_.lens.fy;
        const float length = along[axis];
        const Float8 part =
            length == 0.0f ? all(0.0f) : clamp((here - where[0][axis]) / length, 0.0f, 1.0f);
        const Float8 between = nearness[0] + part * (nearness[1] - nearness[0]);
        return rays.parallel ? between : 1.0f / between;
    }

    HELIOGRAPH_INLINE void see_mesh(Seen& seen, const OnTriangle& on, const Kind& kind) const {
        if (kind.line > 0) {
            seen.normal = {vec3(0, 0, 1), vec3(0, 0, 0), vec3(0, 0, 0)};
            return;
        }
        const auto& n = triangle_->normal;
        if (kind.solver == Solver::face) {
            seen.normal = {vec3(n[0][0], n[1][0], n[2][0]), vec3(0, 0, 0), vec3(0, 0, 0)};
            return;
        }
        if (!scene_.view.linear) {
            seen.normal.value =
                normalize({on.between(n[0]), on.between(n[1]), on.between(n[2])});
            return;
        }
        const Sloped x = on.sloped(n[0]), y = on.sloped(n[1]), z = on.sloped(n[2]);
        seen.normal =
            normalized({{x.value, y.value, z.value}, {x.dx, y.dx, z.dx}, {x.dy, y.dy, z.dy}});
    }

    void see_exact(Seen& seen, const Rays& rays, const Drawn& drawn, const Kind& kind, bool back) {
        const FrameBlock& frame = *scene_.frame.block;
        const ObjectRays object(drawn, rays);
        const Float8 nearest = all(scene_.lens.nearest);
        const Crossing met = cross(kind.solver, drawn.length, object, all_int(back ? -1 : 0));
        seen.depth.value = larger(met.depth, nearest);
        seen.object_normal = met.normal;
        const Vec3 normal = normals_way(drawn.normals, met.normal);
        if (kind.texture >= 0 || scene_.view.linear)
            seen.depth = sloped_depth(rays, frame, seen.depth.value, normal);
        seen.normal = {normalize(normal), vec3(0, 0, 0), vec3(0, 0, 0)};
        if (kind.solver == Solver::slab || !scene_.view.linear) return;
        // How the normal turns: on what is round in object axes as the place moves.
        const SlopedPoint at = sloped_point(rays, frame, seen.depth);
        const Rows to_object = rows_of(drawn.to_object);
        Vec3 dx = to_object.way(at.dx), dy = to_object.way(at.dy);
        if (kind.solver == Solver::tube) {
            const Mask side = met.normal.z == 0.0f;
            const Float8 on = select(side, all(1.0f), all(0.0f));
            dx = {dx.x * on, dx.y * on, all(0.0f)}, dy = {dy.x * on, dy.y * on, all(0.0f)};
        } else if (kind.solver == Solver::capsule) {
            const Float8 on = select(met.normal.z != 0.0f, all(1.0f), all(0.0f));
            dx.z *= on, dy.z *= on;
        }
        seen.normal =
            normalized({normal, normals_way(drawn.normals, dx), normals_way(drawn.normals, dy)});
    }

    Vec4 look(const Paint& paint, const Drawn& drawn, const Kind& kind, const Seen& seen, Mask m,
              Laid& laid) const {
        const float* record = scene_.record(drawn);
        if (paint.image.kind == TextureKind::cube) {
            Vec3 scale = vec3(record + SCALE), at = seen.object;
            if (kind.solver == Solver::capsule) {
                // As in the natural coordinates, each half sphere has its own middle.
                const float length = drawn.length;
                const Float8 end = clamp(at.z, -length, length);
                const Mask on_tube = at.z == end;
                at.z = select(on_tube, at.z / std::max(length, 1e-6f), at.z - end);
                scale.z = select(on_tube, scale.z, scale.x);
            }
            return sample_cube(paint.image, at * scale, seen.object_dx * scale,
                               seen.object_dy * scale, m);
        }
        if (kind.solver == Solver::mesh || kind.solver == Solver::face) {
            laid = seen.laid;
            return look_up(paint, paint.image, 0, laid, m);
        }
        if (kind.own_uv) {
            laid = natural(drawn, kind, seen);
        } else {
            laid = {{1.0f + seen.object.x, 1.0f - seen.object.y},
                    {seen.object_dx.x, -seen.object_dx.y},
                    {seen.object_dy.x, -seen.object_dy.y}};
        }
        const Vec2 scale = vec2(record[SCALE], record[SCALE + 1]);
        laid.uv = laid.uv * scale + vec2(record[OFFSET], record[OFFSET + 1]);
        laid.dx = laid.dx * scale, laid.dy = laid.dy * scale;
        return look_up(paint, paint.image, 0, laid, m);
    }

    static Laid natural(const Drawn& drawn, const Kind& kind, const Seen& seen) {
        const auto lay = kind.three_js ? three_js_uv : shape_uv;
        const ShapeUv at = lay(kind.solver, seen.object, seen.object_normal, drawn.length);
        return {at.uv, at.step(seen.object_dx), at.step(seen.object_dy)};
    }

    static Sloped sloped(const Seen& seen, float a, float b, float c) {
        return {a + seen.first.value * (b - a) + seen.second.value * (c - a),
                seen.first.dx * (b - a) + seen.second.dx * (c - a),
                seen.first.dy * (b - a) + seen.second.dy * (c - a)};
    }

    void tint(Vec4& texel, const Seen& seen) const {
        const auto along = [&](int channel) {
            const std::vector<float>& by = scene_.meshes.colour[channel];
            const std::size_t* c = triangle_->corner;
            return sloped(seen, by[c[0]], by[c[1]], by[c[2]]).value;
        };
        texel.x *= along(0), texel.y *= along(1), texel.z *= along(2), texel.w *= along(3);
    }

    template <bool whole>
    HELIOGRAPH_INLINE void colour(Block& block, Mask m, const Kind& kind, const float* record,
                const Seen& seen, const Vec4& texel) {
        const Vec3 painted{texel.x, texel.y, texel.z};
        const Vec3 rgb = vec3(record + RGBA);
        if (scene_.view.linear) {
            block.rgb = pick<whole>(m, rgb * painted, block.rgb);
        } else {
            block.rgb = pick<whole>(m, rgb, block.rgb);
            if (kind.texture >= 0 || kind.tinted) {
                if (!any(block.textured)) block.texel = vec3(1, 1, 1);
                block.texel = pick<whole>(m, painted, block.texel);
                block.textured |= m;
            }
        }
        const float* material = record + MATERIAL;
        block.material = pick<whole>(
            m, Vec4{all(material[0]), all(material[1]), all(material[2]), all(material[3])},
            block.material);
        if (kind.emissive && kind.line == 0) {
            if (!any(block.glowing)) block.emissive = vec3(0, 0, 0);
            block.emissive = pick<whole>(m, vec3(record + EMISSIVE), block.emissive);
            block.glowing |= m;
        }
        if (kind.reflective && scene_.view.mirror != nullptr) {
            if (!any(block.reflective)) block.reflectance = all(0.0f);
            block.reflective |= m;
            block.reflectance = pick<whole>(
                m, all(scene_.view.linear ? record[REFLECTANCE] : material[3]), block.reflectance);
        }
        const Shading shading = kind.line > 0 ? Shading::unlit : kind.shading;
        if (shading == Shading::unlit) block.unlit |= m;
        if (shading == Shading::hazy) block.hazy |= m;
        if (scene_.view.linear) {
            block.bent = pick<whole>(m, seen.normal.value, block.bent);
            if (shading == Shading::phong) block.phong |= m;
            if (shading == Shading::lambert) block.lambert |= m;
            if (shading == Shading::normal) block.show_normal |= m;
            if (shading == Shading::depth) block.show_depth |= m;
            if (kind.solver != Solver::slab && kind.solver != Solver::face) {
                const Vec3 x = seen.normal.dx, y = seen.normal.dy;
                const Float8 turn = larger(larger(larger(absolute(x.x), absolute(y.x)),
                                                  larger(absolute(x.y), absolute(y.y))),
                                           larger(absolute(x.z), absolute(y.z)));
                block.turning = pick<whole>(m, turn, block.turning);
            }
        }
    }

    // Light at the corners of the triangle at hand.
    void light_triangle(const Drawn& drawn) {
        triangle_->lit = true;
        if (!drawn.lit_whole) {
            want_corners(drawn);
            light_waiting();
        }
        const float* from[3];
        for (std::size_t k = 0; k < 3; ++k) {
            const std::size_t at = drawn.light + triangle_->corner[k] - drawn.base;
            from[k] = drawn.lit_whole ? light_.at(0) + at : &lazy_.numbers[at * width_];
        }
        const std::size_t step = drawn.lit_whole ? light_.stride : 1;
        for (std::size_t i = 0; i < width_; ++i) {
            const float first = from[0][i * step];
            float* to = triangle_->light[i];
            to[0] = first, to[1] = from[1][i * step] - first, to[2] = from[2][i * step] - first;
        }
    }

    HELIOGRAPH_INLINE void begin_vertex_light(Block& block) const {
        if (any(block.vertex_lit)) return;
        block.lit = vec3(0, 0, 0);
        for (int i = 0; i < int(scene_.frame.block->shadow_count); ++i)
            block.direct[i] = vec3(0, 0, 0);
    }

    template <bool whole>
    HELIOGRAPH_INLINE void add_vertex_light(Block& block, Mask m, const Drawn& drawn, Float8 first,
                                            Float8 second) {
        const int shadows = int(scene_.frame.block->shadow_count);
        begin_vertex_light(block);
        block.vertex_lit |= m;
        if (!triangle_->lit) light_triangle(drawn);
        const auto& numbers = triangle_->light;
        const auto one = [&](const float* by) {
            return by[0] + first * by[1] + second * by[2];
        };
        const auto along = [&](int i) {
            return Vec3{one(numbers[i]), one(numbers[i + 1]), one(numbers[i + 2])};
        };
        block.lit = pick<whole>(m, along(0), block.lit);
        for (int k = 0; k < shadows; ++k)
            block.direct[k] = pick<whole>(m, along(3 + 3 * k), block.direct[k]);
    }

    // Light of things whose surface is not that of their triangles, which only say how it is lit.
    template <bool whole>
    void light_alike(Block& block, const Rays& rays, Mask m, const Drawn& drawn, Int8 primitives) {
        take_alike(m, drawn, primitives);
        const OnTriangles on(alike_, rays.where);
        begin_vertex_light(block);
        block.vertex_lit |= m;
        block.lit = pick<whole>(m, on.between3(alike_.light), block.lit);
        for (int k = 0; k < int(scene_.frame.block->shadow_count); ++k)
            block.direct[k] =
                pick<whole>(m, on.between3(alike_.light + 3 + 3 * k), block.direct[k]);
    }
    void take_alike(Mask m, const Drawn& drawn, Int8 primitives) {
        const Kind& kind = scene_.kind(drawn);
        alignas(32) std::int32_t numbers[8];
        store(numbers, primitives);
        const auto take = [&]<bool all_lanes>(Mask mine, std::uint32_t number) {
            find(drawn, kind, number);
            if (!triangle_->lit) light_triangle(drawn);
            alike_.put_place<all_lanes>(mine, *triangle_);
            alike_.put_light<all_lanes>(mine, *triangle_, int(width_));
        };
        const auto first = std::uint32_t(numbers[__builtin_ctz(unsigned(bits(m)))]);
        if (alike_.number != first) take.template operator()<true>(m, first);
        alike_.number = first;
        for (int left = bits(m & (primitives != all_int(std::int32_t(first)))); left != 0;) {
            const std::int32_t number = numbers[__builtin_ctz(unsigned(left))];
            const Mask mine = primitives == all_int(number);
            left &= ~bits(mine);
            alike_.number = 0;
            take.template operator()<false>(mine, std::uint32_t(number));
        }
    }

    // Has the corners of the triangle at hand lit, if they are not.
    void want_corners(const Drawn& drawn) {
        for (int k = 0; k < 3; ++k) {
            const std::size_t vertex = triangle_->corner[k] - drawn.base;
            std::uint32_t& picture = lazy_.picture[drawn.light + vertex];
            if (picture == lazy_.now) continue;
            if (waiting_count_ == 8 || waiting_ != &drawn) light_waiting();
            picture = lazy_.now;
            waiting_ = &drawn;
            waiting_vertices_[waiting_count_++] = std::int32_t(vertex);
        }
    }

    // What further textures say of a surface in linear light.
    void add_layers(Block& block, Mask m, const Paint& paint, const Seen& seen,
                    const Laid& laid) const {
        enum { METALLIC_ROUGHNESS, NORMAL, OCCLUSION, GLOW };
        if (paint.layers[NORMAL]) {
            const Vec4 texel = look_up(paint, *paint.layers[NORMAL], 1 + NORMAL, laid, m);
            const Laid on = mapped(paint.maps[1 + NORMAL], laid);
            block.bent =
                select(m, bumped(paint, seen.normal.value, seen.place, on, texel), block.bent);
        }
        if (paint.layers[METALLIC_ROUGHNESS]) {
            const Vec4 texel =
                look_up(paint, *paint.layers[METALLIC_ROUGHNESS], 1 + METALLIC_ROUGHNESS, laid, m);
            block.material.x = select(m, block.material.x * texel.z, block.material.x);
            block.material.y = select(m, block.material.y * texel.y, block.material.y);
        }
        if (paint.layers[OCCLUSION]) {
            const Vec4 texel = look_up(paint, *paint.layers[OCCLUSION], 1 + OCCLUSION, laid, m);
            block.open = select(m, 1.0f + paint.strengths[2] * (texel.x - 1.0f), block.open);
            block.occluded |= m;
        }
        if (paint.layers[GLOW]) {
            const Vec4 texel = look_up(paint, *paint.layers[GLOW], 1 + GLOW, laid, m);
            block.emissive =
                select(m, block.emissive * Vec3{texel.x, texel.y, texel.z}, block.emissive);
        }
    }

    // The normal that a texture gives a surface, with its x along u and its y along v.
    static Vec3 bumped(const Paint& paint, Vec3 normal, const SlopedPoint& at, const Laid& laid,
                       const Vec4& texel) {
        const Vec3 along_y = cross(at.dy, normal), along_x = cross(normal, at.dx);
        const Vec3 u = along_y * laid.dx.x + along_x * laid.dy.x;
        const Vec3 v = along_y * laid.dx.y + along_x * laid.dy.y;
        const Float8 size = larger(dot(u, u), dot(v, v));
        const Float8 turn = sign(dot(cross(at.dx, at.dy), normal)) *
                            select(size > 0.0f, inverse_root(larger(size, all(1e-37f))), all(0.0f));
        const Float8 x = (texel.x * 2.0f - 1.0f) * paint.strengths[0];
        const Float8 y = (texel.y * 2.0f - 1.0f) * paint.strengths[1];
        return normalize((u * x + v * y) * turn + normal * (texel.z * 2.0f - 1.0f));
    }

    HELIOGRAPH_INLINE Vec3 classic(const Block& block, const Rays& rays, Vec3 point) const {
        Vec3 lit = vec3(0, 0, 0);
        const Mask flat = block.covered & ~block.vertex_lit;
        if (any(block.vertex_lit)) {
            lit = block.lit;
            for (int i = 0; i < int(scene_.frame.block->shadow_count); ++i)
                lit += block.direct[i] *
                       lit_part(scene_.frame, i, point, block.vertex_lit & block.covered);
        }
        if (any(flat)) {
            Vec3 here = block.rgb;
            const Mask shone = flat & ~block.unlit;
            if (any(shone)) {
                const ClassicSurface surface{
                    block.rgb, block.material.x, block.material.y, block.material.z,
                    point, block.normal, normalize(-rays.way)};
                here = select(block.unlit, block.rgb, classic_light(scene_.frame, surface, shone));
            }
            lit = select(block.vertex_lit, lit, clamp(here, 0.0f, 1.0f));
        }
        if (any(block.textured)) lit *= block.texel;
        if (any(block.glowing)) lit += block.emissive;
        return lit;
    }

    Vec3 linear_light(const Block& block, const Rays& rays, Vec3 point, Vec3 mirrored) const {
        const FrameBlock& frame = *scene_.frame.block;
        const Mask shown_plain = block.unlit | block.show_normal | block.show_depth;
        const Mask metallic = block.covered & ~(shown_plain | block.phong | block.lambert);
        Vec3 lit = block.rgb;
        const StandardSurface surface{
            block.rgb, block.material, point, block.normal, block.bent, normalize(-rays.way),
            block.turning, block.open, any(block.occluded), rays.pixel};
        const auto add = [&](Model model, Mask m) {
            if (!any(m)) return;
            const Vec3 sent = standard_light(scene_.frame, model, surface, m);
            lit = select(m, sent, lit);
        };
        add(Model::METALLIC, metallic);
        add(Model::PHONG, block.phong & block.covered);
        add(Model::LAMBERT, block.lambert & block.covered);
        if (any(block.glowing)) lit += block.emissive * select(shown_plain, all(0.0f), all(1.0f));
        lit = shown(scene_.frame, lit + mirrored);
        if (any(block.show_normal))
            lit = select(block.show_normal, block.bent * all(0.5f) + vec3(all(0.5f)), lit);
        if (any(block.show_depth)) {
            const float near_ = frame.ambient[3], far_ = frame.levels[2];
            const Float8 part = rays.parallel
                ? (far_ - block.depth) / (far_ - near_)
                : 1.0f - far_ / (far_ - near_) * (1.0f - near_ / block.depth);
            lit = select(block.show_depth, vec3(part), lit);
        }
        return lit;
    }

    // Red, green and blue of eight pixels of a mirror's picture, from the lowest byte on.
    HELIOGRAPH_INLINE Int8 mirror_bytes(int x, int y) const {
        const View& view = scene_.view;
        const int width = view.camera.width;
        const std::uint8_t* row = view.mirror + 3 * std::size_t(y) * std::size_t(width);
        if (x + 8 <= width) return load_rgb(row + 3 * x);
        std::uint8_t last[24];
        for (int i = 0; i < 8; ++i)
            std::copy_n(row + 3 * std::min(x + i, width - 1), 3, last + 3 * i);
        return load_rgb(last);
    }
    static HELIOGRAPH_INLINE Vec3 from_bytes(Int8 colours) {
        const Int8 byte = all_int(255);
        const Vec3 seen{to_float(colours & byte), to_float(colours >> 8 & byte),
                        to_float(colours >> 16 & byte)};
        return seen * all(1.0f / 255.0f);
    }

    const Scene& scene_;
    const VertexLight& light_;
    LazyLight& lazy_;
    std::size_t width_;  // numbers of a vertex
    // Vertices that are to be lit, all of one thing.
    const Drawn* waiting_ = nullptr;
    alignas(32) std::int32_t waiting_vertices_[8] = {};
    int waiting_count_ = 0;
    LitTriangles alike_;  // of the pixels at hand, of one thing that is no triangles
    Triangle* triangles_;
    std::uint64_t first_key_;
    Triangle* triangle_ = nullptr;  // the one at hand
};

}  // namespace
}  // namespace heliograph
