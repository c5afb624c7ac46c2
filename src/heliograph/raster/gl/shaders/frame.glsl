// What one camera of one state needs, written once per picture. `camera` means camera axes.
struct Light {
    vec4 position;     // metres, and 1; of parallel light the way to where it comes from, and 0
    vec4 direction;    // the way the light goes, and the cosine where a spot is dark
    vec4 diffuse;      // rgb, and a spot's exponent
    vec4 specular;     // rgb, and over how much of the cosine a spot's rim fades
    vec4 attenuation;  // constant, linear, quadratic; of linear light 1 to add a power of the range
    vec4 ambient;
    // Of linear light `specular` begins with 1 / (the range where it ends)^2, and that power. Of
    // area lights `position.w` is 2, and `direction` and `ambient` are half of their sides.
};
struct ShadowMap {
    mat4 from_camera;  // to the atlas; of six faces to metres from the light, world axes
    vec4 faces;        // of six: size on the atlas, and how far from its middle the next one begins
    vec4 depth;        // of six: x - y / metres from the light, else 0; how large what shines is (z)
                       // in metres; a depth of infinity, or less than 0 what a depth of 1 is, metres
};
layout(std140) uniform Frame {
    mat4 clip_from_camera;
    vec4 unproject;    // pixel * xy + zw = point on the plane one metre ahead (orthographic: metres)
    vec4 ambient;      // rgb, and the near plane (metres)
    vec4 haze;         // rgb, and where fading starts (metres)
    vec4 haze_plane;   // world plane it lies on: normal, offset
    float haze_end;    // where fading is complete (metres)
    float orthographic;
    mat4 world_from_camera;
    float light_count, shadow_count;
    vec2 atlas_grid;   // columns and rows of cells
    vec4 around_red, around_green, around_blue;  // light from all sides: along x, y, z, and mean
    mat4 bent_red, bent_green, bent_blue;        // of a picture's: quadratic in (normal, 1)
    vec4 levels;       // exposure, factor of that picture, far plane (metres)
    ShadowMap shadow_maps[MAX_SHADOWS];
    Light lights[MAX_LIGHTS];  // those with shadow maps first
};
#ifdef HAZE
// How much haze is seen along a way from the eye, world axes. It lies on the plane from where it
// starts to a circle where it is complete, and on a slope that rises from there, as far again
// outwards, to the height of the eye.
float haze_along(vec3 way) {
    float height = dot(haze_plane.xyz, world_from_camera[3].xyz) + haze_plane.w;
    float down = -dot(haze_plane.xyz, way);
    float steep = down / max(length(way + down * haze_plane.xyz), 1e-6);
    float above = min(1.0 - steep * haze_end / height, 1.0);  // the circle, as part of the height
    float slope = 1.0 - above / (1.0 + (1.0 - above) * (1.0 - haze.w / haze_end));
    float level = (height / steep - haze.w) / max(haze_end - haze.w, 1e-6);
    return clamp(above > 0.0 ? slope : level, 0.0, 1.0);
}
#endif
